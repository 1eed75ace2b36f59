#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask whether everything is well, wait until it is, and tell every answer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Wait until a list of health checks passes
version_added: 0.1.0
description:
  - Asks all checks beside each other, from the host that it runs on, each again after the interval until it passes or
    the shared deadline is over. Each check is asked at least once, and not again when it has passed.
  - Reports every check with its last answer, and fails with one line per failed check, that says what was expected,
    what came, since when, and where to look.
  - Changes nothing. Needs nothing but Python on the host, and the C(docker) program for the types
    V(container), V(heartbeat) and V(sql).
  - In check mode nothing is asked, because there may be nothing to ask yet; the description is checked nevertheless.
author: "The onebox.stack maintainers (@onebox-stack)"
options:
  checks:
    description: What to check. An option that does not belong to the type of its check is refused.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the check is called in the report; no two are alike.
        type: str
        required: true
      type:
        description:
          - V(http) - a web server answers as expected. Redirects are not followed; expect their O(checks[].status).
          - V(tcp) - a port accepts connections.
          - V(tls) - a certificate is trusted, is for the name, and lasts.
          - V(container) - the chosen containers run, are healthy where they can tell, and were not restarted.
          - V(heartbeat) - a file in each of the chosen containers was written not long ago.
          - V(sql) - a query in a PostgreSQL container answers as expected, in a read-only transaction.
        type: str
        required: true
      url:
        description: Type V(http). The page to ask for; required.
        type: str
      method:
        description: Type V(http). V(GET) when not given.
        type: str
      headers:
        description:
          - Type V(http). Headers to send. Their values are treated as secrets, wherever they appear in the answer.
        type: dict
      status:
        description: Type V(http). The statuses that are good; V(200) when not given.
        type: list
        elements: int
      body_contains:
        description: Type V(http). Text that the first MiB of the body must hold.
        type: str
      header:
        description: Type V(http). Headers of the answer and the regular expression that each must match somewhere.
        type: dict
      json:
        description:
          - Type V(http). Values of the JSON document that is answered, each by its path such as V(services.0.name).
            Numbers and their text are equal. To check a version, name the path where the app tells it.
        type: dict
      max_seconds:
        description: Type V(http). The longest time, in seconds, that a good answer may take; any when not given.
        type: float
      connect_to:
        description:
          - Type V(http). Connect to this address, V(ip) or V(ip:port), while host header and TLS keep the name of
            O(checks[].url).
        type: str
      ca_file:
        description:
          - Types V(http) and V(tls). File on the host with the certificate authorities to trust, instead of the
            system's.
        type: path
      host:
        description: Types V(tcp) and V(tls). Name or address to connect to; required.
        type: str
      port:
        description: Types V(tcp), required, and V(tls), V(443) when not given.
        type: int
      server_name:
        description: Type V(tls). Name to ask for and to find in the certificate; O(checks[].host) when not given.
        type: str
      min_days:
        description: Type V(tls). Days that the certificate must last; V(7) when not given.
        type: float
      app:
        description:
          - Types V(container) and V(heartbeat). Choose the containers of this app, in the slot that serves unless
            O(checks[].labels) names C(onebox.slot) or C(onebox.release).
        type: str
      service:
        description: Types V(container) and V(heartbeat). Only the containers of this service of the O(checks[].app).
        type: str
      labels:
        description:
          - Types V(container) and V(heartbeat). Choose the containers with these labels. The label C(onebox.app) does
            what O(checks[].app) does.
        type: dict
      container:
        description:
          - Types V(container) and V(heartbeat). Choose the one container of this name.
          - Type V(sql). The container in which PostgreSQL runs; V(postgres) when not given.
        type: str
      count:
        description: Type V(container). How many containers there must be; one or more when not given.
        type: int
      max_restarts:
        description: Type V(container). Restarts that each container may have had; V(0) when not given.
        type: int
      running_seconds:
        description: Type V(container). Seconds that each container must have run for; V(0) when not given.
        type: float
      file:
        description: Type V(heartbeat). Absolute path in the container, without links on the way; required.
        type: str
      max_age_seconds:
        description: Type V(heartbeat). Greatest age of the file in seconds; V(60) when not given.
        type: float
      database:
        description: Type V(sql). Name of the database; required.
        type: str
      query:
        description: Type V(sql). The query, passed on standard input; required.
        type: str
      expected:
        description:
          - Type V(sql). What C(psql -A -t) prints, for example V(t) for true, V(1|free) for two columns. Any answer
            without an error when not given.
        type: str
      user:
        description: Type V(sql). User of the container and of the database; V(postgres) when not given.
        type: str
  deadline_seconds:
    description: How long to go on asking, in seconds. V(0) asks once.
    type: float
    default: 60
  interval_seconds:
    description: Pause between two attempts of a check, in seconds.
    type: float
    default: 1
  timeout_seconds:
    description: How long one attempt may take, in seconds.
    type: float
    default: 10
attributes:
  check_mode:
    support: full
    description: Asks nothing and reports every check as skipped.
  diff_mode:
    support: none
    description: Changes nothing.
  platform:
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
"""

EXAMPLES = r"""
- name: Wait until the shop answers with the version that was deployed
  onebox.stack.health_check:
    deadline_seconds: 90
    checks:
      - name: shop answers
        type: http
        url: https://shop.example.com/health
        json:
          version: 1.4.2
        max_seconds: 2
      - name: HTTP redirects
        type: http
        url: http://shop.example.com/
        status: [301, 308]
        header:
          Location: ^https://shop\.example\.com/
      - name: certificate
        type: tls
        host: shop.example.com
        min_days: 14
      - name: containers
        type: container
        app: shop
        running_seconds: 10
      - name: worker is alive
        type: heartbeat
        app: shop
        service: worker
        file: /tmp/heartbeat
        max_age_seconds: 30
      - name: plans are there
        type: sql
        database: shop
        query: select count(*) > 0 from plans
        expected: t
"""

RETURN = r"""
checks:
  description: Every check, in the given order, with its last answer.
  returned: when the description of the checks is right
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
    type:
      description: Type of the check.
      type: str
    ok:
      description: Whether it passed; null when it was skipped.
      type: bool
    skipped:
      description: Whether it was not asked, because of check mode.
      type: bool
    answer:
      description: The last answer, in one line of at most 200 characters.
      type: str
    seconds:
      description: Seconds from the start until it passed, or until the last attempt.
      type: float
    attempts:
      description: How often it was asked.
      type: int
    address:
      description: Scheme and host of the URL where a page was expected, else empty.
      type: str
  sample:
    - name: shop answers
      type: http
      ok: true
      skipped: false
      answer: 200 in 0.04 s, version = 1.4.2
      seconds: 3.12
      attempts: 4
      address: https://shop.example.com/
failed_checks:
  description: Names of the checks that did not pass.
  returned: when the description of the checks is right
  type: list
  elements: str
  sample: [worker is alive]
"""

from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _probes
from ansible_collections.onebox.stack.plugins.module_utils._check_options import CheckError, Patience, parse
from ansible_collections.onebox.stack.plugins.module_utils._checks import failure, skipped, wait
from ansible_collections.onebox.stack.plugins.module_utils._process import run as run_process
from ansible_collections.onebox.stack.plugins.module_utils._quiet import QuietModule

CHECK_OPTIONS: dict[str, dict[str, Any]] = {
    # The type decides which others are required; _check_options says so with an example.
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "required": True},
    "url": {"type": "str"},
    "method": {"type": "str"},
    "headers": {"type": "dict", "no_log": True},
    "status": {"type": "list", "elements": "int"},
    "body_contains": {"type": "str"},
    "header": {"type": "dict"},
    "json": {"type": "dict"},
    "max_seconds": {"type": "float"},
    "connect_to": {"type": "str"},
    "ca_file": {"type": "path"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "server_name": {"type": "str"},
    "min_days": {"type": "float"},
    "app": {"type": "str"},
    "service": {"type": "str"},
    "labels": {"type": "dict"},
    "container": {"type": "str"},
    "count": {"type": "int"},
    "max_restarts": {"type": "int"},
    "running_seconds": {"type": "float"},
    "file": {"type": "str"},
    "max_age_seconds": {"type": "float"},
    "database": {"type": "str"},
    "query": {"type": "str"},
    "expected": {"type": "str"},
    "user": {"type": "str"},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK_OPTIONS},
    "deadline_seconds": {"type": "float", "default": 60},
    "interval_seconds": {"type": "float", "default": 1},
    "timeout_seconds": {"type": "float", "default": 10},
}


def run(module: AnsibleModule) -> dict[str, Any]:
    """Read the description, ask until all is well or the time is over, report."""
    params = module.params
    patience = Patience(params["deadline_seconds"], params["interval_seconds"], params["timeout_seconds"])
    checks = parse(params["checks"], patience)
    if module.check_mode:
        message = f"{len(checks)} health checks were not asked: check mode"
        return {"changed": False, "msg": message, "checks": [skipped(check) for check in checks], "failed_checks": []}
    outcomes = wait(checks, partial(_probes.ask, run=run_process), patience)
    failed = [outcome.check.name for outcome in outcomes if not outcome.answer.ok]
    return {
        "changed": False,
        "failed": bool(failed),
        "msg": failure(outcomes) if failed else f"{len(outcomes)} health checks passed",
        "checks": [outcome.report() for outcome in outcomes],
        "failed_checks": failed,
    }


def main() -> None:
    module = QuietModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        result = run(module)
    except CheckError as error:
        module.fail_json(msg=str(error))
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
