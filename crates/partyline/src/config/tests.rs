//! Layers, and mistakes in them.

use std::{ffi::OsString, fs, path::Path};

use super::*;
use crate::{cli::Global, exit::Usage};

fn env(vars: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    vars.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn loaded(file: &str, vars: &[(&str, &str)], global: Global) -> Result<Loaded, Usage> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("partyline.toml");
    fs::write(&path, file).unwrap();
    load(&Global { config: Some(path), ..global }, env(vars))
}

fn source_of<'a>(loaded: &'a Loaded, key: &str) -> &'a str {
    let shown = loaded.shown.iter().find(|shown| shown.key == key).unwrap();
    shown.source.split(' ').next().unwrap()
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let file = "log = 'embedded:/file'\ndata = '/file'\nprefix = 'file'\npartitions = 3\n";
    let vars = [("PARTYLINE_LOG", "kafka:env:9092"), ("PARTYLINE_DATA", "/env"), ("OTHER", "x")];
    let flags = Global { log: Some("kafka:flag:9092,other:1".to_owned()), ..Global::default() };
    let loaded = loaded(file, &vars, flags).unwrap();
    let config = &loaded.config;
    assert_eq!(config.log, LogAddress::Kafka("flag:9092,other:1".to_owned()));
    assert_eq!(config.data, Path::new("/env"));
    assert_eq!((config.prefix.as_str(), config.partitions), ("file", 3));
    assert_eq!(config.work.batch_commands, Settings::default().batch_commands);
    let sources = ["log", "data", "prefix", "batch_commands"].map(|key| source_of(&loaded, key));
    assert_eq!(sources, ["flag", "environment", "file", "default"]);
}

#[test]
fn the_embedded_log_is_in_the_data_directory() {
    for log in ["", "log = 'embedded:'"] {
        let Loaded { config, shown } = loaded(&format!("data = '/d'\n{log}"), &[], Global::default()).unwrap();
        assert_eq!(config.log, LogAddress::Embedded(config.layout().embedded_log()));
        assert_eq!((&*shown[0].key, &*shown[0].value), ("log", &*config.log.to_string()));
    }
}

#[test]
fn units() {
    let file = "batch_mb = 2\nbatch_ms = 300\ncheckpoint_s = 4\ndirty_mb = 5\nservices = ['crm', 'desk']\n";
    let vars = [("PARTYLINE_CACHE_MB", "6"), ("PARTYLINE_CREATE_TOPICS", "false")];
    let work = loaded(file, &vars, Global::default()).unwrap().config.work;
    assert_eq!((work.batch_bytes, work.batch_age.as_millis(), work.checkpoint_age.as_secs()), (2 << 20, 300, 4));
    assert_eq!((work.dirty_bytes, work.cache_bytes, work.create_topics), (5 << 20, 6 << 20, false));
    assert_eq!(work.services.unwrap().into_iter().collect::<Vec<_>>(), ["crm", "desk"]);
}

#[test]
fn every_mistake_is_reported() {
    let file = "partitions = 0\nbatch_ms = 'soon'\ncolour = 'red'\n[kafka]\nretries = []\n";
    let vars = [("PARTYLINE_LOG", "nats:x"), ("PARTYLINE_SERVICES", "desk,Crm"), ("PARTYLINE_SPEED", "9")];
    let Usage(text) = loaded(file, &vars, Global::default()).unwrap_err();
    for part in [
        "partitions (file",
        "batch_ms (file",
        "colour (file",
        "kafka.retries",
        "log (environment)",
        "services",
        "speed",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(text.lines().count(), 8, "{text}");
}

#[test]
fn a_file_that_is_no_toml_or_not_there() {
    let Usage(text) = loaded("prefix = 'a'\nlog = = x", &[], Global::default()).unwrap_err();
    assert!(text.contains("line 2"), "{text}");
    let missing = Global { config: Some("/nowhere/partyline.toml".into()), ..Global::default() };
    assert!(load(&missing, env(&[])).is_err());
}

#[test]
fn names_of_tests_measurements_and_scripts_are_no_settings() {
    let names = ["CONFIG", "KAFKA", "KAFKA_HOME", "PYTHON", "TEST_BOOTSTRAP", "BENCH_BOOTSTRAP"];
    let vars: Vec<_> = names.iter().map(|name| (format!("PARTYLINE_{name}").into(), "x".into())).collect();
    let config = load(&Global::default(), vars).unwrap().config;
    assert!(config.kafka.is_empty());
}

#[test]
fn properties_of_librdkafka() {
    let file = "[kafka]\nsecurity.protocol = 'SASL_SSL'\n'sasl.username' = 'ann'\nsocket.timeout.ms = 5000\n";
    let flags = Global { properties: vec!["sasl.username=bob".to_owned()], ..Global::default() };
    let loaded = loaded(file, &[("PARTYLINE_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")], flags).unwrap();
    let kafka: Vec<_> = loaded.config.kafka.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let expected =
        ["sasl.mechanism=SCRAM-SHA-512", "sasl.username=bob", "security.protocol=SASL_SSL", "socket.timeout.ms=5000"];
    assert_eq!(kafka, expected);
    assert_eq!(source_of(&loaded, "kafka.sasl.username"), "flag");
    assert!(load(&Global { properties: vec!["x".to_owned()], ..Global::default() }, env(&[])).is_err());
}

/// Whatever kind of log is used: nothing is opened before all of them are right.
#[test]
fn properties_that_cannot_be_set() {
    let file = "partitions = 0\n[kafka]\ngroup.id = 'mine'\nsocket.timeout.ms = 'soon'\nsasl.username = 'ann'\n";
    let flags = ["acks=1", "colour=red", "x", "linger.ms=5"].map(str::to_owned).to_vec();
    let flags = Global { properties: flags, ..Global::default() };
    let Usage(text) = loaded(file, &[("PARTYLINE_KAFKA_TRANSACTIONAL_ID", "mine")], flags).unwrap_err();
    for part in [
        "kafka.group.id (file",
        "kafka.socket.timeout.ms (file",
        "kafka.acks (flag): is set by partyline itself",
        "kafka.colour (flag): No such configuration property",
        "-X x (flag): must be KEY=VALUE",
        "kafka.transactional.id (environment): is set by partyline itself",
        "partitions (file",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(text.lines().count(), 8, "{text}");
}

#[test]
fn secrets_are_read_from_files_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    fs::write(&path, "hunter2\n").unwrap();
    let vars = [("PARTYLINE_SASL_PASSWORD_FILE", path.to_str().unwrap())];
    let loaded_file = loaded("", &vars, Global::default()).unwrap();
    assert_eq!(loaded_file.config.kafka["sasl.password"], "hunter2");
    let flags = Global { properties: vec!["ssl.key.password=hunter2".to_owned()], ..Global::default() };
    let loaded_flag = loaded("", &[], flags).unwrap();
    for loaded in [loaded_file, loaded_flag] {
        assert!(!format!("{:?}", loaded.shown).contains("hunter2"));
        assert!(!format!("{:?}", loaded.config).contains("hunter2"));
    }
    let twice = loaded("kafka.sasl.password = 'x'", &vars, Global::default()).unwrap_err();
    assert!(!twice.0.contains("hunter2") && twice.0.contains("only one"), "{twice}");
}
