#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_check
short_description: Check a host's inventory before anything is touched
version_added: 0.1.0
author: The onebox.stack maintainers (@onebox-stack)
description:
  - Checks every variable of the host whose name begins with a role of this collection (C(app_), C(proxy_) and so on)
    against that role's argument spec, and what the roles must agree on, such as a route and the service behind it.
  - Reports all problems at once, each as one line with the variable, what is wrong and an example of what is right.
    A misspelled name is answered with the nearest known one. The value of a secret is never shown.
  - Runs on the controller, opens no connection and changes nothing.
  - Variables are checked as they are when the task runs. One that is computed from facts needs the facts gathered.
options:
  roles:
    description:
      - The roles that the host will get. The inputs that they require must be there.
      - Inputs of other roles of the collection are checked when they are given, but not required.
      - All roles of the collection when it is not given.
    type: list
    elements: str
attributes:
  check_mode:
    support: full
    description: The same in check mode.
  diff_mode:
    support: none
    description: Nothing is changed, so there is nothing to compare.
"""

EXAMPLES = r"""
- name: Check the inventory
  onebox.stack.inventory_check:
    roles: [docker, postgres, proxy, app]
"""

RETURN = r"""
problems:
  description: What is wrong, in the order of roles and inputs. Empty when all is well.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Where in the inventory.
      type: str
      sample: app_services[0].port
    fault:
      description: What is wrong.
      type: str
      sample: '"http" is not a whole number from 1 to 65535'
    example:
      description: What is right. Empty where an example says nothing.
      type: str
      sample: "port: 3000"
checked:
  description: How many variables of the host were checked.
  returned: always
  type: int
  sample: 12
"""
