"""`micropie openapi`: prints the OpenAPI document of an application."""

import argparse

from micropie.cli.arguments import Commands, add_command_with_target
from micropie.cli.output import print_json
from micropie.cli.target import load_app
from micropie.openapi import openapi


def add_openapi(commands: Commands) -> None:
    """Declare `micropie openapi`."""
    command = add_command_with_target(
        commands, print_document, "openapi", "print the OpenAPI document of an application"
    )
    command.add_argument("--title", help="its title; else that of Docs(), or the name of the class")
    command.add_argument("--api-version", metavar="VERSION", help="the API's version; else that of Docs(), or 1.0.0")
    command.add_argument("--server", action="append", default=[], metavar="URL", help="where it is served; repeatable")


def print_document(options: argparse.Namespace) -> int:
    """Print the document as JSON: the one that the application serves, but for what the options say."""
    app = load_app(options.target)
    print_json(openapi(app, title=options.title, version=options.api_version, servers=options.server))
    return 0
