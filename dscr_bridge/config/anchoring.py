"""Make the paths of a configuration relative to its own folder."""

from pathlib import Path

from dscr_bridge.config.parts import Auth, Certificate, Secret
from dscr_bridge.config.people import OpenId
from dscr_bridge.config.sources import Sftp
from dscr_bridge.config.ways_out import Receiver, Screens
from dscr_bridge.config.whole import Config


def anchored(config: Config, folder: Path) -> Config:
    """Give the configuration with its paths relative to a folder made whole; no path is looked at."""

    def at(path: Path | None) -> Path | None:
        return folder / path if path is not None else None

    def named(one: Secret | None) -> Secret | None:
        return Secret(file=at(one.file)) if one is not None and one.file is not None else one

    def secret(auth: Auth) -> Auth:
        return auth.model_copy(update={"secret": named(auth.secret)})

    def certificate(one: Certificate | None) -> Certificate | None:
        return one and one.model_copy(
            update={"file": at(one.file), "key_file": at(one.key_file), "password": named(one.password)}
        )

    def sftp(one: Sftp | None) -> Sftp | None:
        return one and one.model_copy(update={"password": named(one.password), "key": named(one.key)})

    def connector(name: str) -> str:
        return str(folder / name) if "/" in name or "\\" in name else name

    def screens(portal: Screens | None) -> Screens | None:
        if portal is None:
            return None
        script = str(folder / portal.script) if portal.script.endswith(".toml") else portal.script
        return portal.model_copy(update={"script": script, "browser": at(portal.browser)})

    def out(one: Receiver) -> Receiver:
        anchored = {"ca_file": at(one.ca_file), "auth": secret(one.auth), "portal": screens(one.portal)}
        return one.model_copy(update=anchored)

    sources = tuple(
        s.model_copy(
            update={
                "folder": at(s.folder),
                "ca_file": at(s.ca_file),
                "auth": secret(s.auth),
                "connector": connector(s.connector),
                "sftp": sftp(s.sftp),
                "certificate": certificate(s.certificate),
            }
        )
        for s in config.source
    )

    def sign_on(one: OpenId | None) -> OpenId | None:
        return one and one.model_copy(update={"secret": named(one.secret), "ca_file": at(one.ca_file)})

    pages = config.pages and config.pages.model_copy(
        update={"published": at(config.pages.published), "openid": sign_on(config.pages.openid)}
    )
    contacts = tuple(c.model_copy(update={"to": named(c.to)}) for c in config.alerts.contact)
    alerts = config.alerts.model_copy(update={"contact": contacts, "alive": named(config.alerts.alive)})
    extract = config.cqc_register and config.cqc_register.model_copy(
        update={
            "file": at(config.cqc_register.file),
            "ca_file": at(config.cqc_register.ca_file),
            "key": named(config.cqc_register.key),
        }
    )
    return config.model_copy(
        update={
            "data_folder": at(config.data_folder),
            "code_lists": at(config.code_lists),
            "ledger": named(config.ledger) if isinstance(config.ledger, Secret) else config.ledger,
            "source": sources,
            "pages": pages,
            "cqc_register": extract,
            "receipt_key": named(config.receipt_key),
            "alerts": alerts,
            "receiver": out(config.receiver),
            "fallback": tuple(map(out, config.fallback)),
        }
    )
