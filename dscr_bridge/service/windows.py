"""A service of Windows around the same `run`: its states, its stop, its account; pywin32 is given, never imported here.

Secrets are read from the Credential Manager of the service's own account (`{ keyring = "service/user" }`).
Known limit: this was tested with stand-ins of pywin32 on Linux, never on a Windows machine.
"""

import threading
from collections.abc import Callable
from typing import Any, Protocol

NAME = "dscr-bridge"
TITLE = "Capacity Tracker returns (dscr-bridge)"
SAYS = "Prepares and sends the monthly Capacity Tracker returns inside their reporting window."
CONFIG_OPTION = "Config"


class Stoppable(Protocol):
    """What a stop sets; the daemon waits on it."""

    def set(self) -> None:
        """Tell the program to stop."""


Work = Callable[[str, Stoppable], None]  # the configuration's path, and what says that it should stop


def service_class(win32serviceutil: Any, win32service: Any, servicemanager: Any, work: Work,
                  stopping: Callable[[], Stoppable]) -> type:  # fmt: skip
    """Make the class that pywin32 runs: it reports each state, and a fault ends it with a code that restarts it."""

    class BridgeService(win32serviceutil.ServiceFramework):  # type: ignore[misc]
        """The service as the control manager of Windows sees it."""

        _svc_name_, _svc_display_name_, _svc_description_ = NAME, TITLE, SAYS

        def __init__(self, arguments: Any) -> None:
            super().__init__(arguments)
            self._stopping = stopping()
            self._stopped = threading.Event()

        def SvcStop(self) -> None:
            """Stop: the question under way is finished first, which may take a while."""
            self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING, waitHint=300_000)
            self._stopping.set()

        SvcShutdown = SvcStop

        def SvcDoRun(self) -> None:
            """Run until told to stop."""
            self.ReportServiceStatus(win32service.SERVICE_RUNNING)
            servicemanager.LogInfoMsg(f"{NAME}: started")
            config = win32serviceutil.GetServiceCustomOption(NAME, CONFIG_OPTION)
            try:
                work(config, self._stopping)
            except Exception as fault:
                # The text may hold values; its kind is enough for the event log of the machine.
                servicemanager.LogErrorMsg(f"{NAME}: ended by {type(fault).__name__}; see its log")
                raise
            servicemanager.LogInfoMsg(f"{NAME}: stopped")

    return BridgeService


def install(win32serviceutil: Any, win32service: Any, class_path: str, config: str, account: str | None,
            password: str | None) -> None:  # fmt: skip
    """Register the service: started with the machine, restarted after a fault, under an account of its own.

    Raises what pywin32 raises.
    """
    win32serviceutil.InstallService(
        class_path, NAME, TITLE, startType=win32service.SERVICE_AUTO_START, delayedstart=True, description=SAYS,
        userName=account or r"NT AUTHORITY\LocalService", password=password,
    )  # fmt: skip
    win32serviceutil.SetServiceCustomOption(NAME, CONFIG_OPTION, config)
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_ALL_ACCESS)
    handle = win32service.OpenService(manager, NAME, win32service.SERVICE_ALL_ACCESS)
    again = (win32service.SC_ACTION_RESTART, 30_000)
    actions = {"ResetPeriod": 86_400, "RebootMsg": "", "Command": "", "Actions": [again, again, again]}
    try:
        win32service.ChangeServiceConfig2(handle, win32service.SERVICE_CONFIG_FAILURE_ACTIONS, actions)
    finally:
        win32service.CloseServiceHandle(handle)
        win32service.CloseServiceHandle(manager)


def remove(win32serviceutil: Any) -> None:
    """Stop the service if it runs, and take its registration away; the data folder stays."""
    if is_running(win32serviceutil):
        win32serviceutil.StopService(NAME)
    win32serviceutil.RemoveService(NAME)


def is_running(win32serviceutil: Any) -> bool:
    """Say whether the control manager has it as running (4)."""
    return bool(win32serviceutil.QueryServiceStatus(NAME)[1] == 4)


def started(win32serviceutil: Any) -> None:
    """Start it now.  Raises what pywin32 raises."""
    win32serviceutil.StartService(NAME)
