/* The wall clock of a program, put off by as much as a file says.

   Loaded before a program (LD_PRELOAD). The file that KILONODE_CLOCK names is mapped: 8 bytes with the offset in
   nanoseconds, then places of 16 bytes in which each process says who it is and which offset it went by last. Every
   look at the wall clock reads the offset anew. Monotonic time and all waiting are left as they are. Without the file
   nothing is changed. The layout is that of kilonode.base.clock_file. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define PLACES 255
#define SECOND 1000000000LL

struct place {
    _Atomic int64_t pid;
    _Atomic int64_t offset_ns;
};

struct clock_file {
    _Atomic int64_t offset_ns;
    _Atomic int64_t unused;
    struct place places[PLACES];
};

static struct clock_file *told;
static struct place *ours;
static int (*true_clock_gettime)(clockid_t, struct timespec *);

static void find_place(void)
{
    int64_t pid = getpid();
    ours = NULL;
    for (int number = 0; told != NULL && ours == NULL && number < PLACES; number++) {
        int64_t there = atomic_load(&told->places[number].pid);
        int free_now = there == 0 || there == pid || (kill((pid_t)there, 0) != 0 && errno == ESRCH);
        if (free_now && atomic_compare_exchange_strong(&told->places[number].pid, &there, pid)) {
            atomic_store(&told->places[number].offset_ns, 0);
            ours = &told->places[number];
        }
    }
}

__attribute__((constructor)) static void begin(void)
{
    struct stat found;
    const char *path = getenv("KILONODE_CLOCK");
    int saved = errno;

    true_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (file >= 0) {
        if (fstat(file, &found) == 0 && (size_t)found.st_size >= sizeof(struct clock_file)) {
            void *mapped = mmap(NULL, sizeof(struct clock_file), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            told = mapped == MAP_FAILED ? NULL : mapped;
        }
        close(file);
    }
    if (told != NULL) {
        find_place();
        pthread_atfork(NULL, NULL, find_place);
    }
    errno = saved;
}

static int64_t offset(void)
{
    if (told == NULL)
        return 0;
    int64_t now = atomic_load(&told->offset_ns);
    if (ours != NULL && atomic_load(&ours->offset_ns) != now)
        atomic_store(&ours->offset_ns, now);
    return now;
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    if (true_clock_gettime == NULL)
        true_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = true_clock_gettime(clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t moved = (int64_t)at->tv_sec * SECOND + at->tv_nsec + offset();
        at->tv_sec = moved / SECOND;
        at->tv_nsec = moved % SECOND;
    }
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return (time_t)-1;
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}
