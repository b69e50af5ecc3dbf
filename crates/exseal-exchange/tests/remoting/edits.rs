//! What is done to answers on their way: to envelopes, to the fragments within them, to HTTP itself.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use exseal_psrp::fragment::Fragment;

use crate::proxy::Exchange;

/// Makes another answer; none: this one has nothing to change.
pub(crate) type Edit = fn(&Exchange<'_>) -> Option<Vec<u8>>;

/// For bodies that can be read here.
pub(crate) const ALL: &[(&str, Edit)] = &[
    ("an answer to another request", |of| {
        text(of, |body| {
            replace_between(
                body,
                "<wsa:RelatesTo>",
                "</wsa:RelatesTo>",
                "uuid:5F1A6B6E-0000-4000-8000-000000000001",
            )
        })
    }),
    ("an answer to no request", |of| {
        text(of, |body| {
            replace_between(body, "<wsa:RelatesTo>", "</wsa:RelatesTo>", "")
        })
    }),
    ("an answer to another action", |of| {
        text(of, |body| {
            replace_between(
                body,
                "<wsa:Action>",
                "</wsa:Action>",
                "http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse",
            )
        })
    }),
    ("the answer before it", |of| {
        Some(of.reply.with_body(&of.before?.body))
    }),
    ("the answer twice", |of| {
        Some([of.reply.bytes(), of.reply.bytes()].concat())
    }),
    ("streams of another command", |of| {
        text(of, |body| {
            let id = body.split_once("CommandId=\"")?.1.split_once('"')?.0.to_owned();
            body.contains("ReceiveResponse")
                .then(|| body.replace(&id, "5F1A6B6E-0000-4000-8000-000000000001"))
        })
    }),
    ("a command that is done before its end", |of| {
        text(of, |body| {
            let (before, rest) = body.split_once("<rsp:Stream ")?;
            let state = rest.find("<rsp:CommandState")?;
            Some(format!(
                "{before}{}",
                rest.get(state..)?.replace("Running", "Done")
            ))
        })
    }),
    ("no end", |of| {
        text(of, |body| {
            body.contains("</s:Envelope>")
                .then(|| body.replace("</s:Envelope>", ""))
        })
    }),
    ("elements without end", |of| {
        text(of, |body| {
            Some(body.replacen("<s:Body>", &format!("<s:Body>{}", "<a>".repeat(200_000)), 1))
        })
    }),
    ("an entity that grows", |of| {
        text(of, |body| {
            Some(format!(
                "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>{}",
                body.replacen("<s:Body>", "<s:Body>&b;", 1)
            ))
        })
    }),
    ("an empty body", |of| Some(of.reply.with_body(b""))),
    ("bytes that are no text", |of| {
        Some(of.reply.with_body(&[0xff; 2000]))
    }),
    ("base64 that is cut", |of| {
        streams(of, Some, |encoded| encoded.chars().skip(1).collect())
    }),
    ("a fragment twice", |of| {
        fragments(of, |all| {
            let first = all.first()?.clone();
            all.insert(1, first);
            Some(())
        })
    }),
    ("a later fragment twice", |of| {
        fragments(of, |all| {
            let last = all.last()?.clone();
            all.push(last);
            Some(())
        })
    }),
    ("fragments in another order", |of| {
        fragments(of, |all| (all.len() > 1).then(|| all.swap(0, 1)))
    }),
    ("fragments backwards", |of| {
        fragments(of, |all| (all.len() > 1).then(|| all.reverse()))
    }),
    ("a fragment lost", |of| {
        fragments(of, |all| {
            let middle = all
                .iter()
                .position(|piece| piece.get(16).is_some_and(|flags| flags & 3 == 0))?;
            all.remove(middle);
            Some(())
        })
    }),
    ("a fragment of four gigabytes", |of| {
        fragments(of, |all| {
            all.first_mut()?.get_mut(17..21)?.fill(0xff);
            Some(())
        })
    }),
    ("a fragment that says one byte more", |of| {
        fragments(of, |all| {
            let length = all.last_mut()?.get_mut(20)?;
            *length = length.wrapping_add(1);
            Some(())
        })
    }),
    ("a message of another number", |of| {
        fragments(of, |all| {
            all.last_mut()?.get_mut(..8)?.fill(0x7f);
            Some(())
        })
    }),
    ("another pool's message", |of| {
        fragments(of, |all| {
            all.iter_mut()
                .find(|piece| piece.get(16).is_some_and(|flags| flags & 1 != 0))?
                .get_mut(29..45)?
                .fill(0x7f);
            Some(())
        })
    }),
    ("a message of an unknown kind", |of| {
        fragments(of, |all| {
            all.iter_mut()
                .find(|piece| piece.get(16).is_some_and(|flags| flags & 1 != 0))?
                .get_mut(25..29)?
                .fill(0x7f);
            Some(())
        })
    }),
    ("a length of a terabyte", |of| {
        Some(head("1000000000000", &of.reply.body))
    }),
    ("a length that is none", |of| Some(head("-1", &of.reply.body))),
    ("a body of twenty megabytes", |of| {
        Some(of.reply.with_body(&vec![b'<'; 20 << 20]))
    }),
    ("a chunk of more than there are numbers", |_| {
        Some(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n<".to_vec())
    }),
    ("a head of a megabyte", |of| {
        Some(
            [
                b"HTTP/1.1 200 OK\r\nX-Long: ".as_slice(),
                &vec![b'x'; 1 << 20],
                b"\r\n",
                &of.reply.bytes(),
            ]
            .concat(),
        )
    }),
    ("ten thousand headers", |of| {
        let mut whole = "HTTP/1.1 200 OK\r\n".to_owned();
        for number in 0..10_000 {
            let _ = write!(whole, "X-{number}: x\r\n");
        }
        Some([whole.as_bytes(), b"\r\n", &of.reply.body].concat())
    }),
    ("no HTTP", |_| Some(b"220 mail.example.org ESMTP\r\n".to_vec())),
];

/// For bodies that are sealed.
pub(crate) const FORGED: &[(&str, Edit)] = &[
    ("a bit of the sealed data", |of| {
        let mut body = of.reply.body.clone();
        let at = body.len().checked_sub(60)?;
        *body.get_mut(at)? ^= 1;
        Some(of.reply.with_body(&body))
    }),
    ("the sealed answer before it", |of| {
        Some(of.reply.with_body(&of.before?.body))
    }),
    ("a length that lies", |of| {
        Some(
            of.reply
                .with_body(&replaced(&of.reply.body, b"Length=", b"Length=9")?),
        )
    }),
    ("no boundary", |of| {
        Some(of.reply.with_body(&replaced(
            &of.reply.body,
            b"Encrypted Boundary",
            b"Encrypted Boundarx",
        )?))
    }),
    ("a refusal in clear text", |_| {
        forged("500 Internal Server Error", FAULT)
    }),
    ("a log-on that is wanted again", |_| {
        forged("401 Unauthorized", "")
    }),
    ("nothing of that name", |_| {
        forged("404 Not Found", "<html>404</html>")
    }),
    ("another place", |_| {
        Some(
            b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
        )
    }),
    ("the front end's refusal", |_| {
        forged(
            "500 Internal Server Error",
            "[ClientAccessServer=EX1,BackEndServer=ex1.lab.test,RequestId=1,TimeStamp=3/10/2021 4:24:51 PM] [AuthZRequestId=1][FailureCategory=AuthZ-CmdletAccessDeniedException] no",
        )
    }),
    ("an empty 500", |_| forged("500 Internal Server Error", "")),
];

/// A quota that is used up, as a server says it: nothing was done.
const FAULT: &str = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\"><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:AccessDenied</s:Value></s:Subcode></s:Code><s:Reason><s:Text>no</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>";

fn forged(status: &str, body: &str) -> Option<Vec<u8>> {
    Some(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

fn head(length: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let at = body.windows(from.len()).position(|part| part == from)?;
    Some([&body[..at], to, &body[at + from.len()..]].concat())
}

fn text(of: &Exchange<'_>, edit: impl FnOnce(&str) -> Option<String>) -> Option<Vec<u8>> {
    let body = std::str::from_utf8(&of.reply.body).ok()?;
    Some(of.reply.with_body(edit(body)?.as_bytes()))
}

fn replace_between(body: &str, from: &str, to: &str, with: &str) -> Option<String> {
    let (before, rest) = body.split_once(from)?;
    let (_, behind) = rest.split_once(to)?;
    Some(format!("{before}{from}{with}{to}{behind}"))
}

/// Changes the bytes of all streams, which are one command's, and then their base64: they come in one piece then.
fn streams(
    of: &Exchange<'_>,
    bytes: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
    encoded: impl FnOnce(String) -> String,
) -> Option<Vec<u8>> {
    const STREAM: &str = "<rsp:Stream ";
    const END: &str = "</rsp:Stream>";
    let body = std::str::from_utf8(&of.reply.body).ok()?;
    let (before, rest) = body.split_once(STREAM)?;
    let (attributes, _) = rest.split_once('>')?;
    let mut all = Vec::new();
    let mut rest = body;
    while let Some((_, stream)) = rest.split_once(STREAM) {
        let (content, behind) = stream.split_once('>')?.1.split_once(END)?;
        all.extend(BASE64.decode(content).ok()?);
        rest = behind;
    }
    let edited = bytes(Some(all).filter(|bytes| !bytes.is_empty())?)?;
    let edited = encoded(BASE64.encode(edited));
    Some(
        of.reply
            .with_body(format!("{before}{STREAM}{attributes}>{edited}{END}{rest}").as_bytes()),
    )
}

/// Changes the fragments of all streams.
fn fragments(of: &Exchange<'_>, edit: impl FnOnce(&mut Vec<Vec<u8>>) -> Option<()>) -> Option<Vec<u8>> {
    streams(
        of,
        |bytes| {
            let mut all = Vec::new();
            let mut rest = bytes.as_slice();
            while let Some((fragment, behind)) = Fragment::split(rest) {
                let mut piece = Vec::new();
                fragment.write_to(&mut piece);
                all.push(piece);
                rest = behind;
            }
            edit(&mut all)?;
            Some([all.concat().as_slice(), rest].concat())
        },
        |encoded| encoded,
    )
}
