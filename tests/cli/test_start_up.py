"""What commands load before they do anything."""

import subprocess
import sys

EMULATOR = "kilonode.cloud.openstack"


def test_only_what_is_done_on_virtual_time_loads_the_emulator() -> None:
    modules = ("running", "cleaning", "faulting", "disruption_checks", "reporting")
    code = f"import sys, {', '.join(f'kilonode.cli.{name}' for name in modules)}\n"
    code += f"print([name for name in sys.modules if name.startswith({EMULATOR!r})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
