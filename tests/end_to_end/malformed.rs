//! Malformed lines and records, each with what is said of it: the field, and what it must be. Nothing is quoted.

use partyline_tests::{
    encode::{encode, key},
    workload::invalid_commands,
};
use partyline_wire::{Placed, command_from_json, decode_command};

const ALONE: Placed = Placed { partition: 0, partitions: 1 };

/// What is said of a line.
fn said(line: &str) -> String {
    command_from_json(line).map_or_else(|invalid| invalid.to_string(), |_| "nothing".to_owned())
}

/// Lines by themselves.
const LINES: &[(&str, &str)] = &[
    ("", "line is not JSON: EOF while parsing a value at column 0"),
    ("\u{feff}{}", "line is not JSON: expected value at column 1"),
    ("true", "line must be an object"),
    ("{} {}", "line is not JSON: trailing characters at column 4"),
    (r#"{"a":"x"#, "line is not JSON: EOF while parsing a string at column 7"),
    (
        "{\"command_id\":\"a\tb\"}",
        "line is not JSON: control character (\\u0000-\\u001F) found while parsing a string at column 17",
    ),
    (r#"{"command_id":"\q"}"#, "line is not JSON: invalid escape at column 17"),
    (r#"{"issued_at_ms":01}"#, "line is not JSON: invalid number at column 18"),
    (r#"{"issued_at_ms":tru}"#, "line is not JSON: expected ident at column 20"),
    (r#"{"command_id":["#, "line is not JSON: EOF while parsing a list at column 15"),
    (
        r#"{"a b":1}"#,
        "line has an unknown field; known here: command_id, business_number, issued_at_ms, subscribe, unsubscribe, message, reply, pickup, republish",
    ),
    (r#"{"unsubscribe":{"":1}}"#, "unsubscribe has an unknown field; known here: service"),
    (r#"{"unsubscribe":{"Service":"desk"}}"#, "unsubscribe.Service is unknown; known here: service"),
    (r#"{"command_id":{}}"#, "command_id must be a string"),
    (r#"{"command_id":true}"#, "command_id must be a string"),
    (
        r#"{"issued_at_ms":9223372036854775808}"#,
        "issued_at_ms must be an integer from -9223372036854775808 to 9223372036854775807",
    ),
    (r#"{"issued_at_ms":"12 s"}"#, "issued_at_ms must be an integer from -9223372036854775808 to 9223372036854775807"),
    (r#"{"issued_at_ms":true}"#, "issued_at_ms must be an integer from -9223372036854775808 to 9223372036854775807"),
    (r#"{"pickup":{"hold_for_s":4294967296}}"#, "pickup.hold_for_s must be an integer from 0 to 4294967295"),
    (r#"{"reply":{"seen_seq":1e30}}"#, "reply.seen_seq must be an integer from 0 to 18446744073709551615"),
    (r#"{"subscribe":{"licence":true}}"#, "subscribe.licence must be one of BUNDLE, STANDALONE, UPGRADED_PORTAL"),
    (r#"{"subscribe":{"licence":""}}"#, "subscribe.licence must be one of BUNDLE, STANDALONE, UPGRADED_PORTAL"),
    (r#"{"subscribe":[{"service":"desk"}]}"#, "subscribe must be an object"),
    (
        r#"{"message":{"content":{"interactive":{"options":[{"id":"a"},{"id":7}]}}}}"#,
        "message.content.interactive.options[1].id must be a string",
    ),
    (
        r#"{"message":{"content":{"interactive":{"options":[null]}}}}"#,
        "message.content.interactive.options[0] must be an object",
    ),
    (
        r#"{"message":{"content":{"interactive":{"options":[{"name":"a"}]}}}}"#,
        "message.content.interactive.options[0].name is unknown; known here: id, title",
    ),
    (
        r#"{"message":{"content":{"template":{"parameters":["a",null]}}}}"#,
        "message.content.template.parameters[1] must be a string",
    ),
    (
        r#"{"message":{"content":{"location":{"longitude":[13]}}}}"#,
        "message.content.location.longitude must be a number",
    ),
    (r#"{"reply":{"content":{"reaction":"👍"}}}"#, "reply.content.reaction must be an object"),
    (r#"{"republish":{},"republish":{}}"#, "line has the field republish twice at column 31"),
    (r#"{"command_id":7,"command_id":"c1"}"#, "line has the field command_id twice at column 34"),
    (r#"{"unsubscribe":{"service":"desk","service":"crm"}}"#, "line has the field service twice at column 49"),
    (
        r#"{"commandId":"c1"}"#,
        "commandId is unknown; known here: command_id, business_number, issued_at_ms, subscribe, unsubscribe, message, reply, pickup, republish",
    ),
    (
        r#"{"subscribe":{"licence":"LICENCE_UNSPECIFIED"}}"#,
        "subscribe.licence must be one of BUNDLE, STANDALONE, UPGRADED_PORTAL",
    ),
    (
        r#"{"command_id":"c1","business_number":"+4930111222","republish":null}"#,
        "action must be exactly one of subscribe, unsubscribe, message, reply, pickup, republish",
    ),
    (
        r#"{"command_id":"c1","business_number":"+4930111222","republish":{}}"#,
        "republish.service must be [a-z][a-z0-9-]{0,31}",
    ),
    (
        r#"{"command_id":"c1","business_number":"+4930111222","subscribe":{"service":"desk","share_own":7}}"#,
        "subscribe.share_own must be one of FULL, MASKED",
    ),
    (
        r#"{"command_id":"c1","business_number":"+4930111222","reply":{"service":"desk","agent":"mia","customer":"7","content":{"text":null}}}"#,
        "reply.content must be exactly one of text, media, location, choice, interactive, template, reaction, unsupported",
    ),
    (
        r#"{"command_id":"c1","business_number":"+4930111222","reply":{"service":"desk","agent":"mia","customer":"7","content":{"location":{"latitude":"NaN"}}}}"#,
        "reply.content.location.latitude must be -90 to 90 degrees",
    ),
    (
        r#"{"command_id":"c1","business_number":"+4930111222","reply":{"service":"desk","agent":"mia","customer":"7","content":{"interactive":{"options":[{},{},{"title":"TITLE"}]}}}}"#,
        "reply.content.interactive.options[2].title must be at most 1024 characters, has 1025",
    ),
];

/// What is said of the shared kinds of bad input, in their order.
const MESSAGES: &str = r"
ends too early => line is not JSON: EOF while parsing an object at column 1
not JSON => line is not JSON: expected value at column 1
null => line must be an object
a number => line must be an object
a string => line must be an object
a list => line must be an object
nothing in it => command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]
no action => action must be exactly one of subscribe, unsubscribe, message, reply, pickup, republish
something after it => line is not JSON: trailing characters at column 84
a comma too many => line is not JSON: trailing comma at column 83
single quotes => line is not JSON: key must be a string at column 2
two actions => action must be exactly one of subscribe, unsubscribe, message, reply, pickup, republish, is unsubscribe and republish
half a surrogate pair => line is not JSON: unexpected end of hex escape at column 82
a number that is not finite => line is not JSON: number out of range at column 116
NaN is not JSON => line is not JSON: expected value at column 112
colour: unknown field => colour is unknown; known here: command_id, business_number, issued_at_ms, subscribe, unsubscribe, message, reply, pickup, republish
message/colour: unknown field => message.colour is unknown; known here: customer, message_id, sent_at_ms, content, in_reply_to
subscribe/agent: unknown field => subscribe.agent is unknown; known here: service, product, licence, display_others, share_own
message/content/colour: unknown field => message.content.colour is unknown; known here: text, media, location, choice, interactive, template, reaction, unsupported
message/content: unknown field => message.content.media.size is unknown; known here: kind, media_id, mime_type, caption, filename
unsubscribe/licence: unknown field => unsubscribe.licence is unknown; known here: service
subscribe/licence: unknown enum name => subscribe.licence must be one of BUNDLE, STANDALONE, UPGRADED_PORTAL
subscribe/licence: unknown enum name => subscribe.licence must be one of BUNDLE, STANDALONE, UPGRADED_PORTAL
subscribe/display_others: unknown enum name => subscribe.display_others must be one of FULL, MASKED
subscribe/share_own: unknown enum name => subscribe.share_own must be one of FULL, MASKED
reply/origin: unknown enum name => reply.origin must be one of AGENT, BOT, AUTO_REPLY, WORKFLOW, NOTIFICATION
message/content: unknown enum name => message.content.media.kind must be one of IMAGE, VIDEO, AUDIO, DOCUMENT, STICKER
subscribe/service: not a string => subscribe.service must be a string
command_id: not a string => command_id must be a string
business_number: not a string => business_number must be a string
issued_at_ms: not a number => issued_at_ms must be an integer from -9223372036854775808 to 9223372036854775807
issued_at_ms: not an integer => issued_at_ms must be an integer from -9223372036854775808 to 9223372036854775807
pickup/hold_for_s: negative => pickup.hold_for_s must be an integer from 0 to 4294967295
pickup/hold_for_s: not an integer => pickup.hold_for_s must be an integer from 0 to 4294967295
pickup/take_over: not a boolean => pickup.take_over must be true or false
pickup/release: not a boolean => pickup.release must be true or false
reply/seen_seq: negative => reply.seen_seq must be an integer from 0 to 18446744073709551615
reply/content: not an object => reply.content must be an object
reply/content: not a string => reply.content.text must be a string
message: not an object => message must be an object
message: not an object => message must be an object
message/content: not a list => message.content.interactive.options must be a list
message/content: not a list => message.content.template.parameters must be a list
message/content: not a number => message.content.location.latitude must be a number
message/content: two contents => message.content must be exactly one of text, media, location, choice, interactive, template, reaction, unsupported, is text and choice
reply/content: two contents => reply.content must be exactly one of text, media, location, choice, interactive, template, reaction, unsupported, is text and reaction
command_id: bytes => command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]
message/customer: bytes => message.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
reply/customer: bytes => reply.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
pickup/customer: bytes => pickup.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
reply/agent: bytes => reply.agent must be 1 to 64 bytes of [A-Za-z0-9._:@-]
pickup/agent: bytes => pickup.agent must be 1 to 64 bytes of [A-Za-z0-9._:@-]
subscribe/service: bytes => subscribe.service must be [a-z][a-z0-9-]{0,31}
subscribe/product: bytes => subscribe.product must be [a-z][a-z0-9-]{0,31}
unsubscribe/service: bytes => unsubscribe.service must be [a-z][a-z0-9-]{0,31}
republish/service: bytes => republish.service must be [a-z][a-z0-9-]{0,31}
message/message_id: bytes => message.message_id must be at most 256 bytes, has 257
message/in_reply_to: bytes => message.in_reply_to must be at most 256 bytes, has 257
reply/in_reply_to: bytes => reply.in_reply_to must be at most 256 bytes, has 257
message/content/text: characters => message.content.text must be at most 4096 characters, has 4097
reply/content/text: characters => reply.content.text must be at most 4096 characters, has 4097
command_id: missing => command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]
command_id: empty => command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]
command_id: a blank => command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]
command_id: a slash => command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]
command_id: not ASCII => command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]
business_number: missing => business_number must be + and 8 to 15 digits
business_number: no plus => business_number must be + and 8 to 15 digits
business_number: 7 digits => business_number must be + and 8 to 15 digits
business_number: 16 digits => business_number must be + and 8 to 15 digits
business_number: a blank => business_number must be + and 8 to 15 digits
business_number: a channel id => business_number must be + and 8 to 15 digits
business_number: digits that are not ASCII => business_number must be + and 8 to 15 digits
subscribe/service: missing => subscribe.service must be [a-z][a-z0-9-]{0,31}
subscribe/service: an upper case letter => subscribe.service must be [a-z][a-z0-9-]{0,31}
subscribe/service: begins with a digit => subscribe.service must be [a-z][a-z0-9-]{0,31}
subscribe/service: begins with a hyphen => subscribe.service must be [a-z][a-z0-9-]{0,31}
subscribe/service: an underscore => subscribe.service must be [a-z][a-z0-9-]{0,31}
subscribe/service: not ASCII => subscribe.service must be [a-z][a-z0-9-]{0,31}
subscribe/product: an upper case letter => subscribe.product must be [a-z][a-z0-9-]{0,31}
subscribe/product: a blank => subscribe.product must be [a-z][a-z0-9-]{0,31}
unsubscribe/service: missing => unsubscribe.service must be [a-z][a-z0-9-]{0,31}
republish/service: empty => republish.service must be [a-z][a-z0-9-]{0,31}
reply/service: missing => reply.service must be [a-z][a-z0-9-]{0,31}
reply/service: a line break => reply.service must be [a-z][a-z0-9-]{0,31}
reply/agent: missing, and an agent's reply => reply.agent is required unless origin is automation
reply/agent: a blank => reply.agent must be 1 to 64 bytes of [A-Za-z0-9._:@-]
reply: a bot's agent with a slash => reply.agent must be 1 to 64 bytes of [A-Za-z0-9._:@-]
reply/customer: empty => reply.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
pickup/service: a dot => pickup.service must be [a-z][a-z0-9-]{0,31}
pickup/agent: missing => pickup.agent must be 1 to 64 bytes of [A-Za-z0-9._:@-]
pickup/agent: a plus => pickup.agent must be 1 to 64 bytes of [A-Za-z0-9._:@-]
pickup/customer: missing => pickup.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
message/customer: missing => message.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
message/customer: a slash => message.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
message/customer: an at sign => message.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
message/customer: not ASCII => message.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]
message/content: no content => message.content must be exactly one of text, media, location, choice, interactive, template, reaction, unsupported
message/content: no kind of media => message.content.media.kind is required; known: IMAGE (1), VIDEO (2), AUDIO (3), DOCUMENT (4), STICKER (5)
message/content: media id of 257 bytes => message.content.media.media_id must be at most 256 bytes, has 257
message/content: 1,025 characters => message.content.media.mime_type must be at most 1024 characters, has 1025
message/content: 1,025 characters => message.content.media.caption must be at most 1024 characters, has 1025
message/content: 1,025 characters => message.content.media.filename must be at most 1024 characters, has 1025
message/content: beyond the pole => message.content.location.latitude must be -90 to 90 degrees
message/content: beyond the pole => message.content.location.latitude must be -90 to 90 degrees
message/content: beyond the date line => message.content.location.longitude must be -180 to 180 degrees
message/content: beyond the date line => message.content.location.longitude must be -180 to 180 degrees
message/content: 1,025 characters => message.content.location.name must be at most 1024 characters, has 1025
message/content: 1,025 characters => message.content.location.address must be at most 1024 characters, has 1025
message/content: choice id of 257 bytes => message.content.choice.id must be at most 256 bytes, has 257
message/content: 1,025 characters => message.content.choice.title must be at most 1024 characters, has 1025
message/content: no options => message.content.interactive.options must have 1 to 10 elements, has 0
message/content: no options => message.content.interactive.options must have 1 to 10 elements, has 0
message/content: 11 options => message.content.interactive.options must have 1 to 10 elements, has 11
message/content: 1,025 characters => message.content.interactive.text must be at most 1024 characters, has 1025
message/content: option id of 257 bytes => message.content.interactive.options[0].id must be at most 256 bytes, has 257
message/content: 1,025 characters => message.content.interactive.options[0].title must be at most 1024 characters, has 1025
message/content: 1,025 characters => message.content.template.name must be at most 1024 characters, has 1025
message/content: 1,025 characters => message.content.template.language must be at most 1024 characters, has 1025
message/content: 101 parameters => message.content.template.parameters must have 0 to 100 elements, has 101
message/content: 1,025 characters => message.content.template.parameters[0] must be at most 1024 characters, has 1025
message/content: more than 64 KiB => record must be at most 65536 bytes, has 102741
message/content: message id of 257 bytes => message.content.reaction.message_id must be at most 256 bytes, has 257
message/content: 1,025 characters => message.content.reaction.emoji must be at most 1024 characters, has 1025
message/content: 1,025 characters => message.content.unsupported.type must be at most 1024 characters, has 1025
message/content: missing => message.content is required
reply/content: missing => reply.content is required
message/content/text: empty => message.content.text must not be empty
reply/content/text: 4,097 characters => reply.content.text must be at most 4096 characters, has 4097
message/message_id: 258 bytes in 129 characters => message.message_id must be at most 256 bytes, has 258
pickup/hold_for_s: more than a day => pickup.hold_for_s must be 0 to 86400, is 86401
pickup/hold_for_s: more than a day => pickup.hold_for_s must be 0 to 86400, is 4294967295
";

#[test]
fn lines() {
    let long = "t".repeat(1_025);
    let seen: Vec<_> = LINES.iter().map(|(line, _)| (*line, said(&line.replace("TITLE", &long)))).collect();
    let wanted: Vec<_> = LINES.iter().map(|(line, message)| (*line, (*message).to_owned())).collect();
    assert_eq!(seen, wanted);
    assert_eq!(said(&"[".repeat(100_000)), "line is not JSON: recursion limit exceeded at column 128");
    let name = "n".repeat(65);
    assert_eq!(
        said(&format!(r#"{{"republish":{{"{name}":1}}}}"#)),
        "republish has an unknown field; known here: service"
    );
}

#[test]
fn shared_kinds() {
    let kinds = invalid_commands();
    // Those that are not even text never come so far: whoever reads lines refuses them.
    let texts = kinds.iter().filter_map(|bad| std::str::from_utf8(&bad.line).ok().map(|line| (&bad.why, line)));
    let seen: Vec<_> = texts.map(|(why, line)| format!("{why} => {}", said(line))).collect();
    let wanted: Vec<_> = MESSAGES.trim().lines().collect();
    assert!(wanted.len() + LINES.len() > 150, "the table is long enough");
    assert_eq!(seen, wanted);
}

/// A record that breaks a bound is refused with the same words as the line that it could have been.
#[test]
fn records_are_refused_as_lines_are() {
    let encodable: Vec<_> = invalid_commands().into_iter().filter(|bad| bad.encodable.is_some()).collect();
    assert!(encodable.len() >= 60);
    for bad in &encodable {
        let command = bad.encodable.as_ref().unwrap();
        let refused = decode_command(Some(key(command).as_bytes()), Some(&encode(command)), ALONE).unwrap_err();
        assert_eq!(refused.to_string(), said(std::str::from_utf8(&bad.line).unwrap()), "{}", bad.why);
    }
}

/// Its key, its value, where it lies, and what is said of it.
type Record<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, Placed, &'a str);

#[test]
fn records() {
    let line = r#"{"command_id":"c1","business_number":"+4930111222","republish":{"service":"desk"}}"#;
    let value = command_from_json(line).unwrap().value;
    let (number, zeros) = (&b"+4930111222"[..], vec![0; 65_537]);
    let elsewhere = Placed { partition: 7, partitions: 12 };
    let table: [Record<'_>; 10] = [
        (Some(number), None, ALONE, "record has no value"),
        (None, Some(&value), ALONE, "record has no key; it must be the business_number"),
        (Some(b"+4930111223"), Some(&value), ALONE, "record has a key that is not its business_number"),
        (Some(number), Some(&value), elsewhere, "record lies in partition 7, its key belongs in 3 (murmur2)"),
        (Some(number), Some(b""), ALONE, "command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]"),
        (Some(number), Some(&zeros), ALONE, "record must be at most 65536 bytes, has 65537"),
        (Some(number), Some(&zeros[1..]), ALONE, "record is not a partyline.v1.Command: invalid tag value: 0"),
        (
            Some(number),
            Some(line.as_bytes()),
            ALONE,
            "record is not a partyline.v1.Command: Command.action: invalid wire type: StartGroup (expected LengthDelimited)",
        ),
        (
            Some(number),
            Some(&value[..value.len() - 1]),
            ALONE,
            "record is not a partyline.v1.Command: Command.action: buffer underflow",
        ),
        (
            Some(number),
            Some(b"\x0a\x02\xc3\x28"),
            ALONE,
            "record is not a partyline.v1.Command: Command.command_id: invalid string value: data is not UTF-8 encoded",
        ),
    ];
    for (key, value, placed, expected) in table {
        assert_eq!(decode_command(key, value, placed).unwrap_err().to_string(), expected);
    }
}
