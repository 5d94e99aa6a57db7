"""A platform's mail without names, addresses and words of customers, so that its layout can be sent to the project.

Only words that platforms themselves use in such mails stay. Every other word, name or not, keeps nothing but its
length and its capitals, so that no list of names has to be complete.
"""

import re
from collections.abc import Iterator
from email.message import EmailMessage, Message
from email.policy import SMTP
from functools import lru_cache
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from ingest.mail.letter import decode_part, parse_message, read_header, read_sender
from ingest.mail.reader import layouts

DATE = "Thu, 01 Jan 2026 12:00:00 +0000"
_SENDER_HEADERS = ("From", "Reply-To", "X-Original-From", "X-Original-Sender")
_WORDS = frozenset(
    """
a à about account accéder afficher aide all an and app are as at au aujourd'hui aux avec avez avis be been best bonjour
bulles business by c ce center cet cette chère cher client cliquez commentaire commentaires company compte confiance
connectez consulter consultez conversation cordialement d dans date de déposé des du e écrit email envoyé équipe est et
étoile étoiles évaluation évaluations expérience feedback fiche five for forwarded four from gave gérer get got has have
hello help hi il j just l la laisse laissé le left les lire ll log lui m mail manage management merci message messages
mail met mis more moyenne n new nos note notes notification notifications notre nous nouveau nouveaux nouveautés
nouvel nouvelle objet of on one only or original ou our out over page par partager policy posted pour pouvez preferences
préférences privacy profil profile publié published qu question questions rated rating ratings re read received reçu
regarder répondez répondre reply report respond réponse response responses review reviewed reviews s sa see sent service
settings share shared signaler since single site son soon stars star subject sujet support sur t thank thanks that the
their they this three to total tr transféré un une unsubscribe update updates us utile vient view voir vos votre vous
was we welcome what with without write written wrote x y you your
se désabonner désabonnement inscription confidentialité conditions paramètres modifier supprimer supprimé retiré removed
noreply no has been sans texte text seulement qu'une deux trois quatre cinq two établissement restaurant hotel
réservation séjour customer customers clients acheteur invité guest
""".split()
)
_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,190}|https?://[^\s<>\"')\]]{1,4000}")
_RATINGS = {*"0123456789", "10"}
_UNSEEN_TAGS = {"script", "style", "title", "template", "noscript", "svg"}
_MAX_SEGMENT_CHARS = 12


def anonymise(raw: bytes) -> bytes:
    """Return a mail of the same layout in which nobody can be recognised. Raises `UnreadableMailError`."""
    message = parse_message(raw)
    cleaned = EmailMessage(policy=SMTP)
    for name in _SENDER_HEADERS:
        if sender := read_sender(message, name):
            cleaned[name] = _mask_address(sender)
    cleaned["To"] = "owner@example.org"
    cleaned["Subject"] = mask(read_header(message, "Subject"))
    cleaned["Date"] = DATE
    parts = list(_text_parts(message))
    for subtype, text in parts:
        masked = _mask_markup(text) if subtype == "html" else mask(text)
        if len(parts) == 1:
            cleaned.set_content(masked, subtype=subtype)
        elif message.get_content_type() == "multipart/alternative":
            cleaned.add_alternative(masked, subtype=subtype)
        else:
            cleaned.add_attachment(masked, subtype=subtype, disposition="inline")
    return cleaned.as_bytes()


def mask(text: str) -> str:
    """Return `text` with the words that platforms use, and the shape of all others."""
    pieces = []
    end = 0
    for match in _ADDRESS.finditer(text):
        pieces += [_mask_words(text[end : match.start()]), _mask_address(match[0])]
        end = match.end()
    return "".join([*pieces, _mask_words(text[end:])])


def _text_parts(message: Message) -> Iterator[tuple[str, str]]:
    for part in message.walk():
        if part.get_content_maintype() == "text" and part.get_content_subtype() in {"plain", "html"}:
            yield part.get_content_subtype(), decode_part(part)


def _mask_words(text: str) -> str:
    return _TOKEN.sub(_mask_token, text)


def _mask_token(match: re.Match[str]) -> str:
    word = match[0]
    if word.isdigit():
        return word if word in _RATINGS else "0" * len(word)
    is_initial = len(word) == 1 and word.isupper()
    if not is_initial and word.casefold() in _kept_words():
        return word
    return "".join("X" if letter.isupper() else "x" for letter in word)


@lru_cache(maxsize=1)
def _kept_words() -> frozenset[str]:
    """Return the words that platforms use, and those of their names."""
    return frozenset(_WORDS).union(*(layout.platform.split("_") for layout in layouts()))


def _mask_address(address: str) -> str:
    """Return a mail or web address whose host stays only if it is a platform's."""
    if not address.startswith(("http://", "https://")):
        mailbox, _, domain = address.rpartition("@")
        is_senders = any(address in layout.senders for layout in layouts())
        masked = mailbox if is_senders else _mask_words(mailbox)
        return f"{masked}@{domain}" if _is_platforms(domain) else "somebody@example.org"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return "https://example.org/"
    segments = [_mask_segment(segment) for segment in parts.path.split("/")]
    query = "?x" if parts.query else ""
    return f"{parts.scheme}://{host if _is_platforms(host) else 'example.org'}{'/'.join(segments)}{query}"


def _mask_segment(segment: str) -> str:
    return segment if segment.casefold() in _WORDS else "x" * min(len(segment), _MAX_SEGMENT_CHARS)


def _is_platforms(domain: str) -> bool:
    return any(layout.has_domain(domain) for layout in layouts())


def _mask_markup(markup: str) -> str:
    masker = _Masker()
    masker.feed(markup)
    masker.close()
    return "".join(masker.pieces)


class _Masker(HTMLParser):
    """Writes markup anew: tags, the addresses of links, the names of pictures and the text, each masked."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN_TAGS:
            self._unseen = tag
        kept = [(name, mask(value)) for name, value in attrs if name in {"href", "alt"} and value]
        written = "".join(f' {name}="{escape(value)}"' for name, value in kept)
        self.pieces.append(f"<{tag if tag.isalnum() else 'div'}{written}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._unseen = None
        self.pieces.append(f"</{tag if tag.isalnum() else 'div'}>")

    def handle_data(self, data: str) -> None:
        if self._unseen is None:
            self.pieces.append(escape(mask(data)))
