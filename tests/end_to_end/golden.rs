//! Frozen history: the views that commands of long ago come to, and every row that was published on the way there, byte
//! for byte, by their digests.
//!
//! A digest that changed is a rule or an encoding that changed: what an old command did is not what it did before. That
//! needs a new generation (contract: Rules are frozen history), never new digests here. Only if the line `commands`
//! changed as well, the workload is another one: then the digests say nothing, and are written down anew.

use std::{path::Path, sync::Arc};

use partyline_projector::{Answer, Query, Settings, ViewStore};
use partyline_tests::{fixed_time::FixedTime, rig::Rig, workload};
use serde_json::Value;

use crate::ledger::tight;

const PARTITIONS: u32 = 2;

/// How many rows there are, and BLAKE3 of them, each with the lengths of its key and value before it.
fn digest<'a>(rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let (mut hasher, mut count) = (blake3::Hasher::new(), 0);
    for (key, value) in rows {
        hasher.update(&(key.len() as u64).to_be_bytes()).update(&(value.len() as u64).to_be_bytes());
        hasher.update(key).update(value);
        count += 1;
    }
    format!("{count} {}", hasher.finalize().to_hex())
}

/// Projects the commands at fixed log times, in transactions of any size, and compares what comes of them.
fn check(commands: &[Value], wanted: &str) {
    let wanted: Vec<_> = wanted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for settings in [tight(), Settings::default()] {
        let found = come_to(commands, settings);
        assert_eq!(found, wanted, "\nwhat it came to:\n{}\n", found.join("\n"));
    }
}

/// The commands with their log times, and each service's view and rows.
fn come_to(commands: &[Value], settings: Settings) -> Vec<String> {
    let mut rig = Rig::embedded(PARTITIONS);
    rig.publish(commands);
    let times: Vec<Vec<i64>> =
        (0..PARTITIONS).map(|n| workload::LogTime::new(u64::from(n)).take(commands.len()).collect()).collect();
    let log = Arc::clone(&rig.log);
    let clock = move |partition, offset| times[partition as usize][usize::try_from(offset).unwrap()];
    rig.log = Arc::new(FixedTime { log, clock: Arc::new(clock) });

    let read = rig.read(&rig.log.topics().commands);
    let times: Vec<_> = read.iter().map(|record| record.at_ms.to_be_bytes()).collect();
    let timed = read.iter().zip(&times).map(|(record, at_ms)| (at_ms.as_slice(), record.value.as_slice()));
    let mut found = vec![format!("commands {}", digest(timed))];
    rig.project_to_end("projector", settings);
    for service in rig.views_equal_replays().into_keys() {
        let (view, published) = (view(&rig, &service), rig.rows(&service));
        let view = digest(view.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
        let published = digest(published.iter().map(|row| (row.key.as_bytes(), row.value.as_slice())));
        found.extend([format!("{service} view {view}"), format!("{service} published {published}")]);
    }
    found
}

/// The rows of the view that was fed from the topic.
fn view(rig: &Rig, service: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let store = ViewStore::open_existing(&rig.data("views").view_store(service)).unwrap();
    match store.answer(&Query::Rows { prefix: Vec::new(), after: None, max_bytes: usize::MAX }).unwrap() {
        Answer::Rows(found) => found.rows,
        Answer::Summary(_) => panic!("rows were asked for"),
    }
}

#[test]
fn shipped_dialogues() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/partyline/demo/dialogues.jsonl");
    let dialogues = workload::load(&shipped, usize::MAX).unwrap();
    check(
        &workload::from_dialogues(&dialogues, 1, 3),
        "
        commands 1176 3d1deb4e51d3fa16ed9de97f05a005901c7cfc8ca06bbc5e62f048bc60975131
        buses-1 view 577 a5580641add34c70653a2457ea3cde2af9a7818f624730f3cb1e55618a6095d8
        buses-1 published 1032 1960d9c4fe3c93b95aca11e287aa70f254c011d69324975b72b9d99084253e1d
        buses-2 view 165 c9b2e581ca3465c662a6ea07c494f6ecd31187e05bc12adc24dca453e1af101b
        buses-2 published 189 0a11212bdc34c98ae793abeb4fbcf7c811e211e60044a27b2f5fbb20855d3487
        events-1 view 453 63a7abc78a6f0051d77145091f159490116ff1b3fdd2aa315cee8a7a9cfee146
        events-1 published 596 f6019bccb26de8112438240d6b71c909a35346cb98880d28c9c0942a11d2843c
        events-2 view 685 a1b940d55c66aa23e33c68084801bcfbcc35fe186160178d3870cfcedc31bb2b
        events-2 published 986 d943019df7e665ccb4b91d510224764fc11b03b679429a899ecd06112f10d760
        flights-1 view 763 3514ca38eb253fc0dffd7e3e33c74452bd408fdcb3681d0f0f6d018698397dc0
        flights-1 published 1018 1e822fb981a23d978a21d40a9bd5cb76560a6bfc7bf9b50f0cbaf2d7217b5788
        flights-2 view 294 013ed72364c0fb926f2a40b6811235d95f53e2a8fad87fc36c0880e05e244741
        flights-2 published 412 addd832247e61c1561f7af78ab00681e0bf12fd6cca5aa96be404e1f9fb0f6e8
        movies-1 view 236 e7609ed69fea2ea335f659fd52da275cdb2aa80fdd548b6ae0d2505258b176d2
        movies-1 published 330 8653c245cd61982e5cf0c69589c5e08033b2de7c227e805908f79a55cd56f8a2
        music-2 view 290 22287ea9e05f95fe3a95e476a8dd54b0e9b3278942e2333fdb669fb5b380e119
        music-2 published 411 b21802322be508c61e70048695d4861425869d8827eca7424df3c1c70ce4c4f2
        restaurants-1 view 747 67de2fc4848980837accae1feeab31dad5cfba8267e03467588585749e4c1020
        restaurants-1 published 1177 14a9a169a2a0e0299263f72c2d4e3726ba95bd7f5019e8add29934e2756167a4
        ridesharing-1 view 253 8e9844c03858909615ca8778d3ee14a8c78341d1b706357832fb4a69d3daf4e6
        ridesharing-1 published 323 8ba6f787d0f1eacc793945c9350ebc9c6b1c9aaf5d1bfa3f02ea18182816b916
        services-2 view 231 2b08be1ad0a7cba845676276c26779f38aee68c9671a772ca50f932e9ab4bff1
        services-2 published 475 348e99c9348c55fc20031183c721ee18f840b9458095c573dd2e26b4480fbd56
        services-3 view 447 f7b1f218f696328afe349902672a04511781fe67ceba6c6976b2f2cece7d046d
        services-3 published 586 e90dda899d589e8cca3039aefc6e55e575cc978758b5dc91ca3207d32f7d3827
        travel-1 view 232 97374b520bed2b696be2cbe0318f98e51f1415b3a34888cace27a23572b4bd98
        travel-1 published 313 1088a3461eb869d8dbf58ea2aa47d745698842478005bada34865e951c5d9092
        weather-1 view 292 597f3713ec3b8f6e636d6593a317d799eca10dd61db0f8812ddcad3a80546a02
        weather-1 published 415 a87025dc3e7d6148fba2e3e78c3aa5196e9884076e2ccc0615c246aa7dae138d
        ",
    );
}

#[test]
fn random_mix_with_bad_input() {
    check(
        &workload::with_bad_input(&workload::random_mix(1, 3_000), 1),
        "
        commands 3052 df343204c905f26ebafd066c5c7b9a875e1b28f0df2bf10958c8dac0eac04a5b
        a view 1436 7083544c8c3723b4003df62d9d25e46ed183bc1252e70951ffbfa55f7e631da9
        a published 4847 50afe6f664e648edaf9f5832e2a3f988869496510107c28534ba9e456d72726c
        books view 1559 d3493b2ef232dc9531fab1e6ce0bac4ef57be28ba0afcf3a2dff2ccfb34a8935
        books published 3908 6223e424ed2b8d286206fd6257d75f36c70040032674ee896f8ca365e9ecaa4b
        crm view 1748 eb57af6bfb43878c33d67c7cd3bee8a26248dd42f2ca91a121945b5b9bc85339
        crm published 6434 157fea5d2e1cc959fc2d5ee4e845776c17c76923d18a75f481da601db2eb8863
        crm-2 view 1447 9fb3b3c725f162f7346ff51033204f4cbb41a2b80fe7ce6821451c20b5268fe5
        crm-2 published 3843 46a710eb667f1855b06114ce48d37a0a68a06a627302af90ee03ab3b0d2f75f6
        desk view 1488 c48ce82c0f415ec04598f01f3cbef6a5b66422533a015919ab048c8c49ee5f14
        desk published 4985 368e2d6c0376e0012dfbb7c85e7fd411de3f789a943b7236ab4a86ee163f5446
        marketing view 1533 883894ccd0417a678c0d2de0c5af9f2e6dbfaef676a1accebf7d709aeb9eb64c
        marketing published 4341 65e7cd59b2d14752b51ab77e7301138a08288fca85719f841211305c4a4213f2
        z9-0123456789-0123456789-0123456 view 1515 c538eb10d4c9313dfefeb1dcb0da36ad3d9299066e5eb236c4052df7e9d08346
        z9-0123456789-0123456789-0123456 published 5993 0779b91c57ceee75fead87a489f75f4fa38ac85bb9deda04494d96967746109b
        ",
    );
}
