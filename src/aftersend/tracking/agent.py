"""What the texts of user agents say: browser, system, device, and whether it is a machine's.

Each text is identified once, when its first hit is loaded, and again when the rules or the
libraries have changed. Anybody may send any text: nothing here fails because of one.

Source: spec §1.10 (userAgent), §5 (step 1), §7.12, §7.13; architecture D7.
"""

import json
from collections.abc import Collection, Mapping
from hashlib import blake2b
from importlib.metadata import version
from typing import Final

import ua_parser

from aftersend.database import user_agents
from aftersend.database.engine import Database
from aftersend.database.user_agents import Agent
from aftersend.lake import machines
from aftersend.settings import MachineSettings

__all__ = ["TEXTS_AT_ONCE", "edition", "identify", "identify_anew", "keep"]

TEXTS_AT_ONCE: Final = 1000

_IDENTIFICATION: Final = 1  # another number makes all texts be identified anew
_LIBRARIES: Final = ("ua-parser", "ua-parser-rs", "ua-parser-builtins", "crawler-user-agents")
_TEXT_MAX: Final = 2048  # what comes behind says nothing, and takes long to read

_BROWSER_MAX: Final = 50
_VERSION_MAX: Final = 10
_OS_MAX: Final = 50
_OS_FAMILY_MAX: Final = 20
_DEVICE_MAX: Final = 255

_MAC: Final = "Mac OS X"
_LINUXES: Final = frozenset(
    (
        "Arch Linux",
        "CentOS",
        "Debian",
        "Fedora",
        "Gentoo",
        "Kubuntu",
        "Linux Mint",
        "Lubuntu",
        "Mageia",
        "Mandriva",
        "Puppy",
        "Red Hat",
        "Slackware",
        "SUSE",
        "Ubuntu",
        "VectorLinux",
        "Xubuntu",
    )
)
_MOBILE: Final = frozenset(
    (
        "Android",
        "Bada",
        "BlackBerry OS",
        "BlackBerry Tablet OS",
        "Firefox OS",
        "HarmonyOS",
        "KaiOS",
        "MeeGo",
        "Nokia Series 40",
        "Symbian OS",
        "Symbian^3",
        "Tizen",
        "Windows Mobile",
        "Windows Phone",
        "iOS",
    )
)
_PCS: Final = frozenset(("Windows", "Linux", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD"))


def identify(text: str, allow_agents: Collection[str] = ()) -> Agent:
    """Tell what a text says.

    `allow_agents` are texts; a user agent that contains one meets no rule about machines.

    >>> found = identify("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    >>> found.browser, found.browser_version, found.os_family, found.device, found.is_mobile
    ('Firefox', '140.0', 'Linux', 'PC', False)
    """
    # Lone surrogates are in no line, but what reads them would fail.
    clean = text[:_TEXT_MAX].encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    found = ua_parser.parse(clean)
    browser = found.user_agent.family if found.user_agent else ""
    rule = machines.agent_rule(clean, allow_agents)
    family = _os_family(found.os.family) if found.os else ""
    return Agent(
        browser=browser[:_BROWSER_MAX],
        browser_version=_browser_version(found.user_agent),
        os=_os_name(found.os)[:_OS_MAX],
        os_family=family[:_OS_FAMILY_MAX],
        device=_device(found.device, family)[:_DEVICE_MAX],
        is_mobile=family in _MOBILE,
        is_recognised=bool(browser or rule),
        rule=rule,
    )


def edition(allow_agents: Collection[str] = ()) -> str:
    """Spell by what texts are identified; another edition makes all be identified anew."""
    parts = [
        _IDENTIFICATION,
        machines.Rules().edition,
        sorted(allow_agents),
        [version(name) for name in _LIBRARIES],
    ]
    return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()


def keep(database: Database, agents: Mapping[int, str], settings: MachineSettings) -> None:
    """Keep texts of user agents by their numbers, each once, with what they say."""
    with database.read() as connection:
        missing = user_agents.unknown(connection, agents)
    if not missing:
        return
    known = {agents[number]: identify(agents[number], settings.allow_agents) for number in missing}
    with database.write() as connection:
        user_agents.keep(connection, known, edition=edition(settings.allow_agents))


def identify_anew(database: Database, settings: MachineSettings) -> int:
    """Identify the texts that were identified by other rules; tell how many they were.

    Each batch lasts by itself: who is stopped goes on where it was.
    """
    current, count = edition(settings.allow_agents), 0
    while True:
        with database.read() as connection:
            texts = user_agents.outdated(connection, current, limit=TEXTS_AT_ONCE)
        if not texts:
            return count
        known = {number: identify(text, settings.allow_agents) for number, text in texts.items()}
        with database.write() as connection:
            user_agents.identified(connection, known, edition=current)
        count += len(texts)


def _browser_version(browser: ua_parser.UserAgent | None) -> str:
    if browser is None or not browser.major:
        return ""
    whole = f"{browser.major}.{browser.minor}" if browser.minor else browser.major
    return whole if len(whole) <= _VERSION_MAX else browser.major[:_VERSION_MAX]


def _os_name(system: ua_parser.OS | None) -> str:
    if system is None:
        return ""
    # Up to version 10 the second number told the systems apart.
    is_old_mac = system.family == _MAC and system.major == "10"
    parts = [system.major, system.minor] if is_old_mac else [system.major]
    return f"{_os_family(system.family)} {'.'.join(filter(None, parts))}".rstrip()


def _os_family(family: str) -> str:
    if family == _MAC:
        return "macOS"
    return "Linux" if family in _LINUXES else family


def _device(device: ua_parser.Device | None, os_family: str) -> str:
    """Name the device: a PC where only its system is known."""
    if device is None or device.family == "Other":
        return "PC" if os_family in _PCS else ""
    return device.family
