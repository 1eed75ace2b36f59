"""What the roles' templates make of inventories that are odd, but right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]
BUILT = {"image": {"reference": "shop@sha256:1"}}


def render(template: str, **variables: Any) -> str:
    text = trust_as_template((ROOT / "roles" / template).read_text(encoding="utf-8"))
    return str(Templar(loader=DataLoader(), variables=variables).template(text))


def app(*services: dict[str, Any], image: dict[str, Any] | None = None) -> dict[str, Any]:
    """The services of the Compose file."""
    variables = {
        "app_name": "my-shop",
        "app_services": list(services),
        "__app_image": BUILT if image is None else image,
    }
    services_of: dict[str, Any] = yaml.safe_load(render("app/templates/compose.yaml.j2", **variables))["services"]
    return services_of


def site(*routes: dict[str, Any]) -> str:
    sites = [{"hosts": ["a.example.com", "b.example.com"], "routes": list(routes)}]
    return render("proxy/templates/sites/app.caddy.j2", proxy_app="shop", proxy_sites=sites)


def test_a_number_in_a_command_is_a_word_as_compose_wants_it() -> None:
    command = {"command": ["gunicorn", "-w", 4], "health_command": ["curl", "-m", 5]}
    web = app({"name": "web", "type": "web", **command})["web"]
    assert web["command"] == ["gunicorn", "-w", "4"]
    assert web["healthcheck"]["test"] == ["CMD", "curl", "-m", "5"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3000, "3000"),
        (1.0, "1.0"),
        (True, "true"),
        ("$HOME", "$$HOME"),
        ('it\'s "so"\n', 'it\'s "so"\n'),
        ("\U0001f389", "\U0001f389"),
    ],
)
def test_a_value_of_the_environment_arrives_as_it_is_written(value: object, text: str) -> None:
    web = app({"name": "web", "type": "web", "environment": {"NAME": value}})["web"]
    assert web["environment"] == [f"NAME={text}"]


def test_no_emoji_is_written_as_a_pair_of_escapes_which_compose_refuses() -> None:
    variables = {"app_name": "shop", "app_services": [{"name": "web", "type": "web", "command": ["\U0001f389"]}]}
    assert "\\u" not in render("app/templates/compose.yaml.j2", __app_image=BUILT, **variables)


def test_services_with_images_of_their_own_need_none_of_the_app() -> None:
    services = app({"name": "nats", "type": "worker", "image": "nats:2"}, image={"skipped": True})
    assert {name: one["image"] for name, one in services.items()} == {"nats": "nats:2"}


def test_replicas_may_stand_in_quotes() -> None:
    assert app({"name": "web", "type": "web", "replicas": "2"})["web"]["scale"] == 2


def test_a_path_that_no_route_answers_is_not_found() -> None:
    assert site({"service": "api", "port": 1, "path": "/api"}).count("error 404") == 2
    assert "error 404" not in site({"service": "api", "port": 1, "path": "/api"}, {"service": "web", "port": 2})
    assert "error 404" not in site({"service": "web", "port": 2, "path": "/"})


def test_longer_paths_come_first() -> None:
    text = site({"service": "a", "port": 1, "path": "/api"}, {"service": "b", "port": 2, "path": "/api/v2/"})
    assert text.index("path /api/v2 /api/v2/*") < text.index("path /api /api/*")


def test_postgres_keeps_its_data_in_the_volume_whatever_the_image_says() -> None:
    text = (ROOT / "roles/postgres/templates/compose.yaml.j2").read_text(encoding="utf-8")
    directory = text.partition("PGDATA: ")[2].split()[0]
    assert f"- data:{directory}\n" in text
