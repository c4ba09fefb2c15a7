"""Routes as a table for people: every endpoint under how it is treated."""

from workers.routes.plan import Plan, described


def render(plan: Plan) -> str:
    """All flows with their methods and paths; those that a proxy need not recognise are marked."""
    recognised = {(flow.treatment, target) for flow in plan.flows for target in flow.targets}
    lines = []
    for flow in plan.everything:
        limit = flow.treatment.limit_bytes // 2**20
        lines.append(f"{flow.name}: {described(flow)}, bodies up to {limit} MiB")
        for method, path in sorted(flow.targets, key=lambda target: (target[1], target[0])):
            mark = " " if (flow.treatment, (method, path)) in recognised else "*"
            lines.append(f"  {mark} {method:<6} {path}")
        lines.append("")
    lines.append("* needs no rule: treated like all paths that are not known, which go to client in turn.")
    return "\n".join(lines) + "\n"
