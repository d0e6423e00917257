"""What the control manager of Windows starts; importable on Windows alone, where pywin32 is."""

from pathlib import Path
from typing import Any

import servicemanager  # type: ignore[import-not-found,import-untyped,unused-ignore]
import win32service  # type: ignore[import-not-found,import-untyped,unused-ignore]
import win32serviceutil  # type: ignore[import-not-found,import-untyped,unused-ignore]

from dscr_bridge import daemon
from dscr_bridge.service import windows


def _work(config: str, stopping: Any) -> None:
    from dscr_bridge.cli.app import options
    from dscr_bridge.cli.operate import run_until

    options.config = Path(config)
    run_until(stopping)


BridgeService = windows.service_class(win32serviceutil, win32service, servicemanager, _work, daemon.Stopping)
