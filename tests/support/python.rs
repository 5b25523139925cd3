//! Python, as somebody foreign uses it: the scripts of the README, and what operators and accidents do to a Kafka.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Runs a file of Python; returns what it printed.
fn python(file: &Path, args: &[&str], input: &[u8]) -> String {
    let python = std::env::var("PARTYLINE_PYTHON")
        .expect("no Python with scripts/requirements.txt: run the tests with scripts/test, or set PARTYLINE_PYTHON");
    let mut child = Command::new(python)
        .arg(file)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs one of the scripts of the README; returns what it printed.
pub fn script(name: &str, args: &[&str], input: &[u8]) -> String {
    python(&file("../scripts").join(name), args, input)
}

/// Somebody who may do anything to a Kafka.
pub struct Admin {
    /// HOST:PORT.
    pub bootstrap: String,
}

impl Admin {
    /// Deletes the records of a partition below an offset.
    pub fn trim(&self, topic: &str, partition: u32, offset: u64) {
        self.run(&["trim", topic, &partition.to_string(), &offset.to_string()]);
    }

    /// Deletes a topic.
    pub fn delete(&self, topic: &str) {
        self.run(&["delete", topic]);
    }

    /// Deletes a group's positions, as their expiry does. Waits until nobody is in the group.
    pub fn forget(&self, group: &str) {
        self.run(&["forget", group]);
    }

    /// Sets a group's position. Waits until nobody is in the group.
    pub fn set_position(&self, group: &str, topic: &str, partition: u32, offset: u64) {
        self.run(&["position", group, topic, &partition.to_string(), &offset.to_string()]);
    }

    /// Keys, values and headers of every record of a topic, those of aborted transactions too.
    pub fn dump(&self, topic: &str) -> Vec<Vec<Vec<u8>>> {
        let lines = self.run(&["dump", topic]);
        lines.lines().map(|line| line.split(' ').map(from_hex).collect()).collect()
    }

    fn run(&self, args: &[&str]) -> String {
        python(&file("support/admin.py"), &[&[self.bootstrap.as_str()], args].concat(), b"")
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = if text == "-" { &[][..] } else { text.as_bytes() };
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
