"""Preparing messages: links that are tracked, values of recipients, the pixel that tells of opens.

Nothing here needs an instance: who sends with a mailer of their own compiles a message once and
renders it for each recipient. The catalogue of `Template.urls` tells a tracking server where the
links lead.

>>> from email.message import EmailMessage
>>> from aftersend.model.ids import DeliveryId, MessageId
>>> from aftersend.model.token import KeyRing, decode
>>> template = compile_message(
...     Source(
...         subject="For <%= recipient.first_name %>",
...         html='<p>Hi <%= recipient.first_name %>, <a href="https://shop.example/">look</a>!</p>',
...         text="Hi <%= recipient.first_name %>, look: https://shop.example/",
...     ),
...     delivery_id=DeliveryId(7),
...     addresses=Addresses(redirect="https://t.example.com", app="https://mail.example.com"),
... )
>>> keys = KeyRing({1: b"sixteen bytes or more"})
>>> rendered = template.render({"first_name": "Zoë & Co"}, message_id=MessageId(300), keys=keys)
>>> message = EmailMessage()
>>> message["To"] = "zoe@example.com"
>>> message["Subject"] = rendered.subject
>>> message.set_content(rendered.text)
>>> message.add_alternative(rendered.html, subtype="html")
>>> print(rendered.text)
Hi Zoë & Co, look: https://t.example.com/r/ciaqplacamamj6lx7t7ese4d
>>> decode(rendered.text.rpartition("/")[2], keys=keys).url_id
3
>>> sorted((url_id, url.label) for url_id, url in template.urls.items())
[(1, 'Open'), (2, 'look'), (3, 'https://shop.example/')]
"""

from aftersend.content.detection import detect
from aftersend.content.instruction import Resources, expand
from aftersend.content.lint import Lint, lint
from aftersend.content.mail import TrackedMessage, Tracker, in_folder, track
from aftersend.content.message import (
    Addresses,
    FoundLink,
    Preparation,
    Rendered,
    Source,
    TrackedLink,
)
from aftersend.content.template import Template, compile_message

__all__ = [
    "Addresses",
    "FoundLink",
    "Lint",
    "Preparation",
    "Rendered",
    "Resources",
    "Source",
    "Template",
    "TrackedLink",
    "TrackedMessage",
    "Tracker",
    "compile_message",
    "detect",
    "expand",
    "in_folder",
    "lint",
    "track",
]
