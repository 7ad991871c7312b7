"""A Ray of its own on this machine, and on it what `serve deploy` deploys, again and again with other arguments.

`python -m tests.cluster.deployed` is that process. It reads arguments of `serve.app:build` as JSON, a line each, and prints
`deployed` when all replicas are those of the last line.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

APP = "facegroup"
CPUS = 16


class Deployed:
    """One such process and its log.

    Args:
        folder: for the log.
        environment: its variables.
        nodes: how many machines Ray takes this one for.
    """

    def __init__(self, folder: Path, environment: dict[str, str], nodes: int = 1) -> None:
        self._log = folder / "deployed.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.cluster.deployed", str(nodes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
            )

    @property
    def pid(self) -> int:
        """Of the process whose children all others are."""
        return self._process.pid

    def deploy(self, **arguments: Any) -> None:
        """Return when the application runs with these arguments."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line == "deployed\n":
                return
        raise AssertionError(f"it was not deployed:\n{self.log()[-4000:]}")

    def log(self) -> str:
        """Return what its processes have said."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(120)
        self._process.stdout.close()


def _join(address: str) -> None:
    """Start another node of the Ray at this address. It ends when the first one does."""
    command = [str(Path(sys.executable).with_name("ray")), "start", f"--address={address}", f"--num-cpus={CPUS}"]
    more = ["--node-ip-address=127.0.0.1", "--object-store-memory=100000000"]
    environment = {**os.environ, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}  # in spite of its name; a server sets 0
    subprocess.run([*command, *more], check=True, stdout=sys.stderr, env=environment)


def main() -> None:
    """Start Ray, and deploy what each line says until there are no more."""
    from facegroup.settings import load
    from serve import ray_environment, startup
    from serve.instance import own
    from serve.processes import adopt, end_all

    adopt()
    with own(load()) as instance:
        ray_environment.set_variables()
        startup.start_ray(
            300,
            "FACEGROUP_CACHE_DIR",
            load().port,
            num_cpus=CPUS,
            object_store_memory=128 << 20,
            _temp_dir=str(instance.temporary),
        )
        import ray
        import ray.serve
        from ray.serve.config import HTTPOptions
        from ray.serve.context import _get_global_client
        from ray.serve.schema import ServeDeploySchema

        for _ in range(int(sys.argv[1]) - 1):
            _join(ray.get_runtime_context().gcs_address)
        ray.serve.start(proxy_location="HeadOnly", http_options=HTTPOptions(host="127.0.0.1", port=load().port))
        client: Any = _get_global_client()
        for line in sys.stdin:
            application = {"name": APP, "import_path": "serve.app:build", "args": json.loads(line)}
            client.deploy_apps(ServeDeploySchema.model_validate({"applications": [application]}))
            time.sleep(1)
            while (status := ray.serve.status().applications[APP]).status != "RUNNING":
                if status.status == "DEPLOY_FAILED":
                    raise SystemExit(str(status))
                time.sleep(0.2)
            print("deployed", flush=True)
        ray.shutdown()
        end_all()


if __name__ == "__main__":
    main()
