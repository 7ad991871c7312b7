"""The environment variables that make Ray work as a server needs it.

Ray reads them when it is imported, in every process, so they are set before it is.
"""

import os

RAY = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve.early_refusal.middlewares",
    "RAY_SERVE_LOG_TO_STDERR": "1",
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": "134217728",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "0.5",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_SERVE_AUTOSCALING_METRIC_RECORD_INTERVAL_FACTOR": "0.02",
    "RAY_task_events_max_num_task_in_gcs": "1000",
    "RAY_worker_maximum_startup_concurrency": "8",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "GRPC_VERBOSITY": "ERROR",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "MALLOC_ARENA_MAX": "2",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
"""How Ray works for a server.

- Its gcs remembers 1,000 calls instead of 100,000, for a dashboard that nobody sees: it would grow by 0.1 MB a second.
- A call between replicas may have 128 MiB. Photos, crops and answers are sent in calls of at most 64 MiB, and the
  10,000 strangers of a calibration are 82 MB.
- A call that waits for a process that is not there yet is reported within a second instead of ten.
- Eight processes may start at once, instead of one for each core.
- The node has no cluster, so that its address is 127.0.0.1. Ray would replace that by an address of the machine that
  others can reach, and open about twenty ports there and on all addresses. In spite of its name the variable counts
  on Linux, too.
- HAProxy reports no metrics of each request: nobody reads them, and they took another process 0.14 ms.
"""

PATIENT = {
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_gcs_rpc_server_connect_timeout_s": "60",
    "RAY_py_gcs_connect_timeout_s": "120",
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120",
}
"""Seconds after which Ray gives up a start. Its own 5 to 60 are too few on a machine with a load of 45 on two cores."""


CLUSTER = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
    "RAY_BACKEND_LOG_LEVEL": "error",
    "DASHBOARD_METRIC_PORT": "-1",
}
"""What differs on a node of a cluster (node.py).

- The head gives a silent node up after three checks of two seconds at most. By itself Ray takes a minute, which a single
  busy machine keeps: nobody else could do the work.
- A node waits ten minutes for a head that was lost, and goes on serving. By itself it ends after one.
- Requests that are under way on a node that ends have five seconds.
- The dashboard opens no port for metrics of its own at all addresses.
"""


def set_variables(*, cluster: bool = False) -> None:
    """Set the variables in this process, from which all others inherit them. A variable that is set already stays.

    Args:
        cluster: whether the node is one of several.
    """
    for name, value in {**RAY, **PATIENT, **(CLUSTER if cluster else {})}.items():
        os.environ.setdefault(name, value)
    # The HTTP library would believe whoever is on this machine; serve/api/forwarded.py knows whom to believe.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "nobody")
