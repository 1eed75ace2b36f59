#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An app's image on the server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: An app's image on the server, pulled from a registry or built from git
version_added: 0.1.0
author: The onebox.stack maintainers (@onebox-stack)
description:
  - Pulls an image by tag or digest, or builds it from a git repository at a commit, and returns a reference that
    names exactly this image.
  - A pulled image is named by its digest, a built one by the tag V(<name>:<first 12 digits of the commit>), with
    eight more that tell context, Dockerfile and build arguments where those are not the defaults.
  - A commit that was built before in the same way is not built again. Two runs build one after the other.
  - Neither the sources nor the deploy key stay on the server; the key is never on disk.
options:
  name:
    description: Repository of the image, without a tag. With O(repository), the name for the image that is built.
    type: str
    required: true
  version:
    description:
      - Tag, or digest beginning with V(sha256:). With O(repository), a branch, a tag, or a commit of 40 digits.
      - When empty, the image O(keep) stays. Without one it is V(latest), or the repository's default branch.
    type: str
    default: ""
  keep:
    description:
      - The image that the app runs with, as this module returned it. When O(version) is empty and the server has this
        image, nobody is asked, so that it works offline. An image of another O(name) is not kept.
    type: dict
    default: {}
  repository:
    description: URL of the git repository to build from. Empty to pull. It must not hold a password.
    type: str
    default: ""
  deploy_key:
    description:
      - Text of the private key, without a passphrase, that may read the repository over SSH.
      - A host is trusted at the first contact and must stay the same afterwards.
    type: str
    default: ""
  context:
    description: Directory of the repository to build in.
    type: str
    default: .
  dockerfile:
    description: Path of the Dockerfile below O(context).
    type: str
    default: Dockerfile
  build_args:
    description:
      - Build arguments by name, beside C(DEPLOY_COMMIT) and C(DEPLOY_TIME) (UTC, as V(2026-01-31T12:00:00Z)).
      - They stay readable in the image, so none may be a secret.
    type: dict
    default: {}
  timeout_seconds:
    description: How long the pull, the fetch or the build may take, each, in seconds.
    type: int
    default: 1800
attributes:
  check_mode:
    support: partial
    description: Tells what would be pulled or built.
    details: Asks no registry, so that a tag that the server has counts as up to date. A branch is looked up.
  diff_mode:
    support: full
    description: Shows the reference before and after.
"""

EXAMPLES = r"""
- name: Pull a version
  onebox.stack.image:
    name: registry.example.com/shop
    version: 1.4.2

- name: Build a branch
  onebox.stack.image:
    name: shop
    version: main
    repository: git@git.example.com:team/shop.git
    deploy_key: "{{ vault_app_deploy_key }}"
"""

RETURN = r"""
image:
  description: The image.
  returned: success
  type: dict
  contains:
    reference:
      description: Name with digest, or with the commit as tag. In check mode, of what is not there yet, name with tag.
      type: str
      sample: registry.example.com/shop@sha256:9f0b
    id:
      description: Id of the image. Empty in check mode while it is not there.
      type: str
      sample: sha256:1f6d
    commit:
      description: The commit that it was built from, from its label C(org.opencontainers.image.revision); may be empty.
      type: str
      sample: 8b1f6c0e6a2f4d9a8f3e2f6a1f3b5c7d9e0a1b2c
    version:
      description: The version that was asked for, or that of the image that was kept.
      type: str
      sample: 1.4.2
"""

from dataclasses import dataclass, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _image as images
from ansible_collections.onebox.stack.plugins.module_utils._image import Image, ImageError, Local, Source
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, run

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str", "default": ""},
    "keep": {"type": "dict", "default": {}},
    "repository": {"type": "str", "default": ""},
    "deploy_key": {"type": "str", "default": "", "no_log": True},
    "context": {"type": "str", "default": "."},
    "dockerfile": {"type": "str", "default": "Dockerfile"},
    "build_args": {"type": "dict", "default": {}},
    "timeout_seconds": {"type": "int", "default": 1800},
}


@dataclass(frozen=True)
class Way:
    """How to get an image: whom to ask, whether only to tell, and how long it may take."""

    run: Run
    check_mode: bool
    timeout: float


def describe(ref: str, there: Local | None, version: str) -> Image:
    return Image(ref, there.id, there.commit, version) if there else Image(ref, version=version)


def pulled(name: str, version: str, way: Way) -> tuple[bool, Image]:
    """Pull unless the digest is there; tell whether there was anything new."""
    ref = images.reference(name, version)
    before = images.local(way.run, ref)
    if (before and "@" in ref) or (before is None and way.check_mode):
        return before is None, describe(ref, before, version)
    output = "" if way.check_mode else images.pull(way.run, ref, way.timeout)
    after = images.local(way.run, ref)
    if after is None:
        raise ImageError(f"{ref} was pulled and is gone again: something removes images. Run again")
    digest = images.pulled_digest(output, name, after)
    exact = images.reference(name, digest) if digest else ref
    return before is None or before.id != after.id, describe(exact, after, version)


def built(name: str, version: str, source: Source, way: Way) -> tuple[bool, Image]:
    """Build unless the commit was; tell whether there was anything new."""
    try:
        commit = images.resolve(way.run, source, version)
    except images.NoGitError:
        if way.check_mode:
            return True, Image(images.reference(name, version or "latest"), version=version)
        raise
    tag = images.built_reference(name, commit, source)
    before = images.local(way.run, tag)
    if before or way.check_mode:
        return before is None, describe(tag, before, version)
    return True, describe(tag, images.build(way.run, source, tag, commit, way.timeout), version)


def converge(params: dict[str, Any], check_mode: bool, ask: Run = run) -> dict[str, Any]:
    """Read, plan, write, report."""
    name, version, source = params["name"], params["version"], Source.from_options(params)
    images.refuse(name, version, source)
    before: str = params["keep"].get("reference", "")
    kept = bool(before) and images.name_of(before) == name and not version
    if kept:
        commit = params["keep"].get("commit", "")
        known = params["keep"].get("version") or images.version_of(before)
        if not images.stale(before, commit, source) and (there := images.local(ask, before)):
            return report(False, before, describe(before, there, known))
        version = (commit if source else "") or images.version_of(before)
    way = Way(ask, check_mode, params["timeout_seconds"])
    if source:
        changed, image = built(name, version, source, way)
    else:
        changed, image = pulled(name, version or "latest", way)
    if kept:
        image = replace(image, version=known)
    return report(changed, before, image)


def report(changed: bool, before: str, image: Image) -> dict[str, Any]:
    """The module's answer."""
    diff = {"before": f"{before}\n" if before else "", "after": f"{image.reference}\n"}
    return {"changed": changed, "image": image.to_dict(), "diff": diff if changed else {"before": "", "after": ""}}


def main() -> None:
    """Give Ansible the answer."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = converge(module.params, module.check_mode)
    except (ImageError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
