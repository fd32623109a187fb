"""TextMaster's token bodies: urlencoded, multipart (its published sample) and JSON (its own cartridge), section 1.3."""

from __future__ import annotations

from provisioner.sandbox.wire import Malformed, Request, once


def token_parameters(request: Request) -> dict[str, str]:
    """The parameters of a token request, each once and each a string. Raises Malformed.

    Rails would also take them from the query; credentials never belong there (RFC 6749 section 2.3.1), so that is
    refused here.
    """
    if request.query:
        raise Malformed("token parameters belong into the body")
    if request.media_type == "application/x-www-form-urlencoded":
        return request.form()
    if request.media_type == "application/json":
        found = request.json_object()
        if not all(isinstance(value, str) for value in found.values()):
            raise Malformed("every parameter must be a string")
        return found
    if request.media_type == "multipart/form-data":
        return once(_parts(request))
    raise Malformed("the body must be urlencoded, multipart or JSON")


def _parts(request: Request) -> list[tuple[str, str]]:
    from email.parser import BytesParser
    from email.policy import HTTP

    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode("utf-8", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    if not message.is_multipart() or message.defects:
        raise Malformed("the multipart body cannot be read")
    found = []
    for part in message.iter_parts():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes) or part.get_filename() is not None:
            raise Malformed("a part is not a form field")
        try:
            found.append((name, content.decode()))
        except UnicodeDecodeError:
            raise Malformed("a part is not UTF-8") from None
    return found
