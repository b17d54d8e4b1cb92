"""The three servers that come from the system's packages: MariaDB, RabbitMQ (with its port mapper) and memcached.

Each runs from the stack's own folders on the loopback address, with nothing of the system's configuration: no package
needs to have started anything, and nothing that runs already is touched.
"""

import getpass
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kilonode.base.errors import InputError
from kilonode.stack.commands import run_command
from kilonode.stack.configuration.site import ADDRESS, MESSAGE_USER, Site

DATABASE_USER: Final = "kilonode"
SYSTEM_FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
RABBITMQ_PROGRAMS: Final = Path("/usr/lib/rabbitmq/bin")
"""Debian's own wrappers in /usr/sbin want a certain user; the programs here do not."""


def find_program(name: str) -> Path | None:
    """A program of the system's packages, which may lie where a user's PATH does not lead."""
    if name.startswith("rabbitmq"):
        candidates = [RABBITMQ_PROGRAMS / name]
    else:
        candidates = [Path(folder) / name for folder in SYSTEM_FOLDERS]
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def program(name: str) -> Path:
    """The same, that must be there. Raises InputError."""
    found = find_program(name)
    if found is None:
        raise InputError(f"the program {name} is missing", hint="kilonode doctor names the packages to install")
    return found


def socket(site: Site) -> Path:
    """The socket on which the owner of the stack is the database's administrator."""
    return site.data("mariadb", "server.sock")


async def prepare_mariadb(site: Site) -> None:
    """Make the empty system tables."""
    folder = site.data("mariadb", "tables")
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    await run_command(
        [
            program("mariadb-install-db"), "--no-defaults", f"--datadir={folder}", "--skip-test-db",
            "--auth-root-authentication-method=socket", f"--auth-root-socket-user={getpass.getuser()}",
            f"--user={getpass.getuser()}",
        ],
        site.folder.commands_log,
        timeout_s=120,
        what="the database's tables cannot be made",
    )  # fmt: skip


def mariadb_command(site: Site) -> list[str]:
    """The server of the databases, as durable as it comes."""
    folder = site.data("mariadb")
    return [
        str(program("mariadbd")), "--no-defaults", f"--datadir={folder / 'tables'}", f"--socket={socket(site)}",
        f"--port={site.ports.mariadb}", f"--bind-address={ADDRESS}", f"--pid-file={folder / 'server.pid'}",
        f"--user={getpass.getuser()}", "--max-connections=4096", "--innodb-buffer-pool-size=512M",
        "--innodb-log-file-size=256M", "--character-set-server=utf8mb3", "--skip-name-resolve",
        "--skip-log-bin", "--performance-schema=OFF",
    ]  # fmt: skip


def client_command(site: Site) -> list[str | Path]:
    """The database's own client, as its administrator."""
    return [program("mariadb"), "--no-defaults", f"--socket={socket(site)}", "--batch", "--skip-column-names"]


async def query(site: Site, statements: str, timeout_s: float = 60.0) -> str:
    """Have the database do something; what it answers, a row a line."""
    return await run_command(
        client_command(site),
        site.folder.commands_log,
        timeout_s=timeout_s,
        words=statements,
        what="the database refuses",
    )


def database_statements(site: Site, databases: tuple[str, ...]) -> str:
    """Statements that make the databases and the one user that may use them."""
    who = f"'{DATABASE_USER}'@'%'"
    lines = [
        f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY '{site.secrets.database}';",
        f"ALTER USER {who} IDENTIFIED BY '{site.secrets.database}';",
    ]
    for name in databases:
        lines.append(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb3;")
        lines.append(f"GRANT ALL ON `{name}`.* TO {who};")
    return "\n".join(lines) + "\n"


def memcached_command(site: Site) -> list[str]:
    """The cache."""
    return [
        str(program("memcached")), "-l", ADDRESS, "-p", str(site.ports.memcached), "-U", "0", "-m", "256",
        "-c", "4096", "-t", "2", "-u", getpass.getuser(),
    ]  # fmt: skip


def epmd_command(site: Site) -> list[str]:
    """The port mapper of Erlang, of the stack's own, so that none is started for all addresses."""
    return [str(program("epmd")), "-address", ADDRESS, "-port", str(site.ports.epmd)]


def prepare_rabbitmq(site: Site) -> None:
    """Write the broker's configuration."""
    folder = site.directory("rabbitmq")
    lines = [
        f"listeners.tcp.1 = {ADDRESS}:{site.ports.rabbitmq}",
        f"management.tcp.ip = {ADDRESS}",
        f"management.tcp.port = {site.ports.rabbitmq_management}",
        f"default_user = {MESSAGE_USER}",
        f"default_pass = {site.secrets.messages}",
        "loopback_users = none",
        "vm_memory_high_watermark.relative = 0.4",
        "disk_free_limit.absolute = 50MB",
        # What it says of itself is then as fresh as what is read of it each second.
        "collect_statistics_interval = 1000",
    ]
    site.folder.write_private(folder / "rabbitmq.conf", "\n".join(lines) + "\n")
    site.folder.write_private(folder / "enabled_plugins", "[rabbitmq_management].\n")
    for name in ("messages", "logs", "home"):
        site.data("rabbitmq", name).mkdir(mode=0o700, parents=True, exist_ok=True)


def rabbitmq_variables(site: Site) -> Mapping[str, str]:
    """The environment of the broker and of its tools."""
    folder, data = site.directory("rabbitmq"), site.data("rabbitmq")
    return {
        "PATH": os.pathsep.join(SYSTEM_FOLDERS),
        "HOME": str(data / "home"),  # where the cookie of Erlang's distribution is kept
        "LANG": "C.UTF-8",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        # Then the script becomes the broker, instead of waiting beside it and ending it by a tool that takes its time.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_NODENAME": f"{site.folder.name}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": ADDRESS,
        "RABBITMQ_NODE_PORT": str(site.ports.rabbitmq),
        "RABBITMQ_DIST_PORT": str(site.ports.rabbitmq_distribution),
        "RABBITMQ_MNESIA_BASE": str(data / "messages"),
        "RABBITMQ_LOG_BASE": str(data / "logs"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": ADDRESS,
        "ERL_EPMD_PORT": str(site.ports.epmd),
    }


def rabbitmq_command() -> list[str]:
    """The message broker."""
    return [str(program("rabbitmq-server"))]
