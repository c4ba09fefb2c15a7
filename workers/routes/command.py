"""``python -m workers routes``: prints a routing table; ``render`` is the same for programs."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from workers.map import endpoints
from workers.routes import envoy, haproxy, nginx, table
from workers.routes.plan import Owners, Plan, make_plan
from workers.routes.upstreams import Address, BadUpstream, Upstreams, address_from, read_upstreams

FORMATS: Final[Mapping[str, Callable[[Plan], str]]] = {
    "nginx": nginx.render,
    "haproxy": haproxy.render,
    "envoy": envoy.render,
    "table": table.render,
}
DEFAULT_LISTEN: Final = "0.0.0.0:8008"
DEFAULT_HEALTH: Final = "/health/ready"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``routes``."""
    command = commands.add_parser(
        "routes",
        help="print the configuration of a proxy that sends each request to the right kind of process",
        description="Print the configuration of a proxy that sends each request to the right kind of process, by room, "
        "user or origin. It is derived from the endpoints of this version. A kind without address is served by main.",
    )
    command.add_argument("--format", choices=sorted(FORMATS), default="table", help="default: table, for people")
    command.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="KIND=HOST:PORT,...",
        help="the processes of a kind; a host that is a name stands for all addresses that it resolves to",
    )
    command.add_argument(
        "--dns", metavar="TEMPLATE", help="names of all kinds at once, such as {kind}.matrix.svc.cluster.local:8008"
    )
    command.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT,...", help=f"default: {DEFAULT_LISTEN}")
    command.add_argument("--health", default=DEFAULT_HEALTH, metavar="PATH", help=f"default: {DEFAULT_HEALTH}")
    command.set_defaults(run=_run)


def render(
    form: str,
    upstreams: Upstreams,
    listen: Sequence[Address],
    health: str = DEFAULT_HEALTH,
    owners: Owners | None = None,
) -> str:
    """The configuration of a proxy."""
    plan = make_plan((endpoint for _, endpoint in endpoints()), upstreams, listen, health, owners)
    return FORMATS[form](plan)


def _run(chosen: argparse.Namespace) -> int:
    try:
        upstreams = read_upstreams(chosen.backend, chosen.dns)
        listen = [address_from(each) for each in chosen.listen.split(",")]
        print(render(chosen.format, upstreams, listen, chosen.health), end="")
    except BadUpstream as error:
        print(f"python -m workers routes: {error}", file=sys.stderr)
        return 2
    return 0
