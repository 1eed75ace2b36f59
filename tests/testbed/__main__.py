"""Command line of the test bed: PYTHONPATH=tests python -m testbed up|down|reset|address|list."""

from __future__ import annotations

import argparse
import sys

from docker.errors import DockerException

from . import lifecycle
from .bed import DOMAIN, Bed, bed_name
from .console import BedError, say


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="testbed", description="Hosts and a small internet to test the collection on.")
    commands = whole.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="make a bed, or check that it is up")
    up.add_argument("--hosts", default="", help="names, separated by commas (default: those it has, else `server`)")
    down = commands.add_parser("down", help="remove a bed with its networks, volumes and keys")
    down.add_argument("--any-checkout", action="store_true", help="also when another checkout made it")
    reset = commands.add_parser("reset", help="give a bed bare hosts again and keep its internet")
    for command in (up, down, reset):
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("--name", help="the bed's name, as it is")
        which.add_argument("--scenario", help="the bed of a scenario: this checkout's id and this name")
        if command is down:
            which.add_argument("--all", action="store_true", help="every bed of this checkout")
    address = commands.add_parser("address", help="say where a bed's site is and how to look at it")
    address.add_argument("--name", required=True)
    commands.add_parser("list", help="every bed on this machine")
    return whole


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        run(options)
    except (BedError, DockerException) as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    if options.command == "list":
        for row in lifecycle.listed():
            print("  ".join(row))
        return
    if getattr(options, "all", False):
        lifecycle.down_all()
        return
    name = options.name or bed_name(options.scenario)
    if options.command == "address":
        site(Bed.load(name))
    elif options.command == "up":
        report(lifecycle.up(name, tuple(filter(None, options.hosts.split(",")))))
    elif options.command == "reset":
        report(lifecycle.reset(name))
    else:
        lifecycle.down(name, any_checkout=options.any_checkout)


def report(bed: Bed) -> None:
    hosts = ", ".join(f"{host} {bed.addresses[host]}" for host in bed.hosts)
    say(f"{bed.name} is up: {hosts}; inventory {bed.directory / 'inventory'}")


def site(bed: Bed) -> None:
    """For a person in front of this machine, whose browser and resolver know nothing of the bed."""
    address, root = bed.addresses[bed.hosts[0]], bed.directory / "pebble-root.pem"
    say(f"https://shop.{DOMAIN} is at {address}. Look at it:")
    print(f"  curl --cacert {root} --resolve shop.{DOMAIN}:443:{address} https://shop.{DOMAIN}/")


if __name__ == "__main__":
    sys.exit(main())
