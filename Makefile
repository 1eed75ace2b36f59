# One runner for everything; what the targets do is written where it belongs.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo test lint unit scenarios bench docs clean

SCENARIO ?=
BENCH ?= converge
bin := .venv/bin
bed := PYTHONPATH=tests $(bin)/python -m testbed
demo_inventory := -i inventories/demo -i .bed/demo/inventory

demo: .venv/ready                   ## Provision a host with the sample app, and say where it is
	$(bed) up --name demo
	$(bin)/ansible-playbook $(demo_inventory) playbooks/site.yml
	$(bed) address --name demo

test: $(if $(SCENARIO),,lint unit) scenarios  ## Everything; SCENARIO=<name> runs that scenario alone

lint: .venv/ready
	tests/lint

unit: .venv/ready
	$(bin)/pytest tests/unit

scenarios: .venv/ready
	tests/scenarios $(SCENARIO)

bench: .venv/ready                  ## Ratios in one run; BENCH=converge
	PYTHONPATH=tests $(bin)/python bench/$(BENCH).py

docs: .venv/ready                   ## Rewrite the generated parts of the documentation
	$(bin)/python docs/generate.py

clean: .venv/ready                  ## Remove the test beds and everything they left
	$(bed) down --all

.venv/ready: pyproject.toml
	tests/venv
