//! Questions over a socket, and what may go wrong with it.

use std::os::unix::net::{UnixListener, UnixStream};

use partyline_projector::{Answer, Query, ViewRows, ViewSummary};
use partyline_wire::PositionRow;

use super::{frame, socket::Place};

fn body(frame: &[u8]) -> &[u8] {
    let (length, body) = frame.split_first_chunk().unwrap();
    assert_eq!(super::frame::length(*length).unwrap(), body.len());
    body
}

#[test]
fn questions_come_through() {
    for query in [
        Query::Summary,
        Query::Rows { prefix: Vec::new(), after: None, max_bytes: 0 },
        Query::Rows { prefix: b"entry/".to_vec(), after: Some(b"entry/x".to_vec()), max_bytes: 1 << 20 },
    ] {
        assert_eq!(frame::read_question(body(&frame::question(&query))).unwrap(), query);
    }
    let greedy = Query::Rows { prefix: Vec::new(), after: None, max_bytes: usize::MAX };
    let Query::Rows { max_bytes, .. } = frame::read_question(body(&frame::question(&greedy))).unwrap() else {
        panic!("another kind");
    };
    assert_eq!(max_bytes, frame::ROWS_BYTES_MAX);
}

#[test]
fn answers_come_through() {
    let row = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    let positions = vec![PositionRow { partition: 3, next_offset: 9, at_ms: -1 }];
    for answer in [
        Ok(Answer::Rows(ViewRows { rows: vec![row(b"a", b""), row(b"b", b"x")], more: true })),
        Ok(Answer::Rows(ViewRows::default())),
        Ok(Answer::Summary(ViewSummary { digest: "ab".to_owned(), rows: 7, positions })),
        Err("is stopping".to_owned()),
    ] {
        assert_eq!(frame::read_answer(body(&frame::answer(&answer))).unwrap(), answer);
    }
}

#[test]
fn garbage_is_an_error() {
    assert!(frame::length([0xff; 4]).is_err());
    for bytes in [&b""[..], b"\x01", b"\x02\x00", b"\x01\x09", b"\x01\x00\xff\xff\xff\xff"] {
        assert!(frame::read_question(bytes).is_err(), "{bytes:?}");
        assert!(frame::read_answer(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_deep_folder_has_a_socket_too() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("d".repeat(120));
    std::fs::create_dir_all(&deep).unwrap();
    let listener = UnixListener::bind(Place::of(&deep).unwrap().path()).unwrap();
    assert!(deep.join("socket").exists());
    UnixStream::connect(Place::of(&deep).unwrap().path()).unwrap();
    drop(listener);
}
