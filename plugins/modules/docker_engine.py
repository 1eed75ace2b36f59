#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install Docker Engine and the Compose plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine
short_description: Docker Engine and the Compose plugin from a package repository
version_added: 0.1.0
description:
  - Installs Docker Engine, the Compose and buildx plugins and git from Docker's own repository or the distribution's.
  - Packages that are installed stay at their version; an upgrade is a decision of its own.
  - Unlike a list of package tasks it can foretell its work on a server where the repository is not known yet.
options:
  source:
    description: Docker's own repository, or the distribution's packages.
    type: str
    choices: [upstream, distro]
    default: upstream
  repository_url:
    description: Docker's repository or a mirror of it, used when O(source=upstream).
    type: str
    default: https://download.docker.com/linux
attributes:
  check_mode:
    description: Can tell what would be installed without installing it.
    support: full
  diff_mode:
    description: Lists the packages before and after.
    support: full
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Install Docker from its own repository
  onebox.stack.docker_engine:

- name: Install what the distribution has
  onebox.stack.docker_engine:
    source: distro
"""

RETURN = r"""
packages:
  description: Versions of the engine's packages, by name, after the run. In check mode what is missing has no version.
  returned: always
  type: dict
  sample: {"docker.io": "26.1.5+dfsg1-9"}
"""

import re
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _engine as engine
from ansible_collections.onebox.stack.plugins.module_utils._files import read_text_or_none, write_atomically
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, run

APT_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
KEY_SECONDS = 30
APT_SECONDS = 1800


def read(wanted: Sequence[str], ask: Run) -> dict[str, str]:
    """Versions of those wanted packages that are installed."""
    status = ask(["dpkg-query", "--show", "--showformat=${Package}\t${db:Status-Abbrev}\t${Version}\n", *wanted])
    return engine.installed(status.stdout)


def apt(arguments: Sequence[str], ask: Run) -> None:
    """Run apt-get; raises EngineError with its last lines."""
    # A killed run may have left packages half configured; the lock may be held by the system's own upgrades.
    argv = ["apt-get", "--yes", "--quiet", "--option", "DPkg::Lock::Timeout=300", *arguments]
    result = ask(argv, timeout=APT_SECONDS, env=APT_ENVIRONMENT)
    if result.returncode != 0:
        said = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        raise engine.EngineError(
            f"`{' '.join(argv)}` failed. The engine is not installed as wanted; nothing else was changed. "
            f"Mend what apt names and run again. Its last lines:\n{said}"
        )


def write_key(repository_url: str, where: engine.System, ask: Run) -> None:
    """Fetch the repository's key and keep it only if it is Docker's; raises EngineError otherwise."""
    url = f"{repository_url.rstrip('/')}/{where.id}/gpg"
    try:
        with urlopen(url, timeout=KEY_SECONDS) as answer:  # noqa: S310 - the inventory names the repository
            text = answer.read().decode()
    except (OSError, HTTPException, ValueError) as error:
        raise engine.EngineError(
            f"{url} cannot be read ({error}); nothing was installed. Check docker_repository_url and the server's "
            "way to the internet, or take the distribution's packages: docker_source: distro"
        ) from error
    shown = ask(["gpg", "--show-keys", "--with-colons"], stdin=text)
    # Docker's key alone: apt would trust any other beside it as well.
    if f":{engine.KEY_FINGERPRINT}:" not in shown.stdout or len(re.findall("^pub:", shown.stdout, re.MULTILINE)) > 1:
        raise engine.EngineError(
            f"{url} is not Docker's key (fingerprint {engine.KEY_FINGERPRINT}); nothing was installed. "
            "Check docker_repository_url, or take the distribution's packages: docker_source: distro"
        )
    Path(engine.KEY_FILE).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_atomically(Path(engine.KEY_FILE), text, 0o644)


def write(plan: engine.Plan, repository_url: str, where: engine.System, ask: Run) -> None:
    """Add the repository where it is wanted, then install what is missing."""
    ask(["dpkg", "--configure", "--pending", "--force-confold"], timeout=APT_SECONDS, env=APT_ENVIRONMENT)
    if plan.sources is not None:
        apt(["update"], ask)
        apt(["install", "--no-install-recommends", "gpg", "ca-certificates"], ask)
        write_key(repository_url, where, ask)
        write_atomically(Path(engine.SOURCES_FILE), plan.sources, 0o644)
    if plan.packages:
        apt(["update"], ask)
        apt(["install", "--no-install-recommends", *plan.packages], ask)


def main() -> None:
    """Read, plan, write, report."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str", "choices": ["upstream", "distro"], "default": "upstream"},
            "repository_url": {"type": "str", "default": "https://download.docker.com/linux"},
        },
        supports_check_mode=True,
    )
    source, url = module.params["source"], module.params["repository_url"]
    try:
        where = engine.system(read_text_or_none(Path("/etc/os-release")) or "")
        wanted = engine.packages(source, where)
        before = read(wanted, run)
        architecture = run(["dpkg", "--print-architecture"]).stdout.strip()
        text = engine.sources(where, url, architecture) if source == "upstream" else None
        plan = engine.plan(wanted, before, text, read_text_or_none(Path(engine.SOURCES_FILE)))
        if plan.changed and not module.check_mode:
            write(plan, url, where, run)
        after = before if module.check_mode else read(wanted, run)
    except (engine.EngineError, OSError) as error:
        module.fail_json(msg=str(error))
    names = "\n".join(wanted) + "\n"
    module.exit_json(
        changed=plan.changed,
        packages={name: after.get(name, "") for name in wanted},
        diff={"before": "\n".join(name for name in wanted if name in before) + "\n", "after": names},
    )


if __name__ == "__main__":
    main()
