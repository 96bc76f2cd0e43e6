"""Messages between requests, on one worker or many: chats, dashboards, progress bars.

from micropie import App
from micropie.channels import Channels, relay

class Site(App):
    channels = Channels("redis://localhost:6379/0")
"""

from micropie.channels.channels import Channels
from micropie.channels.message import Message, Notice
from micropie.channels.relay import relay
from micropie.channels.subscription import SlowConsumer, Subscription

__all__ = ["Channels", "Message", "Notice", "SlowConsumer", "Subscription", "relay"]
