"""Kernels of this process's kernel managers are forked, too."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.connect import LocalPortCache
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from tests.support.forking.process import PythonProcess
from tests.support.ports import free_port

_NAME = "forking-provisioner"


class ForkingProvisioner(LocalProvisioner):
    """Forks the kernels of ipykernel; starts others as usual, also those that a test starts its own way."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start a kernel; it gets no standard input."""
        if cmd[:3] != [sys.executable, "-m", "ipykernel_launcher"]:
            return await super().launch_kernel(cmd, **kwargs)
        environment = {**kwargs["env"], "JPY_PARENT_PID": str(os.getpid())}
        self.process = PythonProcess(
            cmd,
            stdin=subprocess.DEVNULL,
            stdout=kwargs.get("stdout"),
            stderr=kwargs.get("stderr"),
            cwd=kwargs.get("cwd"),
            env=environment,
            start_new_session=True,
        )
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info


def fork_kernels() -> None:
    """Fork the kernels of managers created from now on, on ports that nothing else takes."""
    if sys.platform != "linux":
        return
    LocalPortCache.find_available_port = lambda *_: free_port()  # type: ignore[method-assign]
    factory = KernelProvisionerFactory.instance()
    factory.provisioners[_NAME] = EntryPoint(
        _NAME, f"{__name__}:{ForkingProvisioner.__name__}", factory.GROUP_NAME
    )
    factory.default_provisioner_name = _NAME
