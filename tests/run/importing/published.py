"""The published raw data, unpacked, and the values that were published for it."""

import lzma
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parents[2] / "data" / "reliability"


class Published(NamedTuple):
    """Central values as they were printed; empty: none."""

    downtime_s: str
    time_to_recover_s: str
    degradation_s: str
    degradation_ratio: str


VALUES: Final = {
    "authenticate_with_kill_keystone_service_on_one_node": Published("0.038", "2.28", "1.21", "9.1"),
    "authenticate_with_restart_keystone_service_on_one_node": Published("1.07", "5.44", "0.41", "4.7"),
    "authenticate_with_restart_memcached_service_on_one_node": Published("", "0.458", "0.057", "1.46"),
    "authenticate_with_kill_mysql_service_on_one_node": Published("14.7", "", "", ""),
    "create_and_list_networks_with_kill_mysql_service_on_one_node": Published("", "7.73", "1.4", "3.8"),
    "boot_and_delete_with_kill_rabbitmq_service_on_one_node": Published("", "", "", ""),
    "boot_and_delete_with_reboot_one_node_with_rabbitmq_service": Published("8.7", "286.89", "14.7", "3.85"),
    "boot_and_delete_with_disconnect_management_network_on_one_node_with_nova_scheduler_service": Published(
        "358.0", "149.0", "24", "5.7"
    ),
}
OTHER_LAYOUT: Final = "containerised-newton-kill-rabbitmq"


def unpacked(name: str, folder: Path) -> Path:
    """The data set of this name as a file in `folder`."""
    path = folder / f"{name}.json"
    path.write_bytes(lzma.decompress((FOLDER / f"{name}.json.xz").read_bytes()))
    return path
