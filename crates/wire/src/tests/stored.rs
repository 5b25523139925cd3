//! What stores keep: everything survives its encoding, and what is damaged is found out or at least does no harm.

use std::sync::Arc;

use partyline_ledger::{
    Agent, CommandId, Content, Conversation, Customer, Entry, EntryAuthor, Held, IdHash, IdKind, Lengths, Member,
    Number, Origin, Place, RecentIds, Service, ServiceIx, Visibility, WINDOW_IDS, Window, Writer,
};
use proptest::prelude::*;

use crate::state::{
    decode_conversation, decode_entry, decode_number, encode_conversation, encode_entry, encode_number,
    join_conversation, kept_ids,
};

fn window() -> impl Strategy<Value = Window> {
    prop::collection::vec(any::<u128>(), 0..300).prop_map(|ids| ids.into_iter().map(IdHash).collect())
}

/// Of ids none of which is kept elsewhere.
fn recent_ids() -> impl Strategy<Value = RecentIds> {
    prop::collection::vec(any::<u128>(), 0..300).prop_map(|ids| {
        let mut recent = RecentIds::default();
        ids.into_iter().for_each(|id| recent.remember(IdHash(id)));
        recent
    })
}

fn agent() -> impl Strategy<Value = Agent> {
    "[A-Za-z0-9._:@-]{1,64}".prop_map(|text| Agent::new(&text).unwrap())
}

fn service_ix() -> impl Strategy<Value = ServiceIx> {
    any::<u8>().prop_map(ServiceIx)
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![Just(Visibility::Full), Just(Visibility::Masked)]
}

fn lengths() -> impl Strategy<Value = Lengths> {
    any::<(u64, u64)>().prop_map(|(conversations, entries)| Lengths { conversations, entries })
}

prop_compose! {
    fn member()(
        service in "[a-z][a-z0-9-]{0,31}",
        (display_others, share_own) in (visibility(), visibility()),
        place in prop_oneof![Just(Place::Nowhere), Just(Place::Shared), Just(Place::Isolated)],
        isolated in lengths(),
    ) -> Member {
        Member { service: Service::new(&service).unwrap(), display_others, share_own, place, isolated }
    }
}

prop_compose! {
    fn number()(
        members in prop::collection::vec(member(), 0..20),
        subscribers in prop::collection::vec(service_ix(), 0..20),
        shared in lengths(),
        seen in window(),
        rejections in any::<u64>(),
    ) -> Number {
        Number { members, subscribers, shared, seen, rejections }
    }
}

prop_compose! {
    fn held()(service in service_ix(), agent in agent(), (since_ms, until_ms) in any::<(i64, i64)>(), hold_for_s in any::<u32>()) -> Held {
        Held { service, agent, since_ms, until_ms, hold_for_s }
    }
}

prop_compose! {
    fn conversation()(
        opened in any::<bool>(),
        (seq, seq_of_others, warnings) in any::<(u64, u64, u64)>(),
        writer in prop_oneof![
            Just(Writer::Customer),
            (service_ix(), prop::option::of(agent())).prop_map(|(ix, agent)| Writer::Service(ix, agent)),
        ],
        held in prop::option::of(held()),
        (messages, others) in (recent_ids(), recent_ids()),
    ) -> Conversation {
        Conversation { opened, seq, writer, seq_of_others, held, warnings, messages, others }
    }
}

fn origin() -> impl Strategy<Value = Origin> {
    let maybe = || prop::option::of(agent());
    prop_oneof![
        agent().prop_map(Origin::Agent),
        maybe().prop_map(Origin::Bot),
        maybe().prop_map(Origin::AutoReply),
        maybe().prop_map(Origin::Workflow),
        maybe().prop_map(Origin::Notification),
    ]
}

prop_compose! {
    fn entry()(
        customer in "[A-Za-z0-9+._:-]{1,64}",
        author in prop::option::of((service_ix(), origin(), "[A-Za-z0-9._:-]{1,64}")),
        content in prop::collection::vec(any::<u8>(), 0..200),
        (message_id, in_reply_to) in any::<(String, String)>(),
        (seq, offset) in any::<(u64, u64)>(),
        (sent_at_ms, at_ms) in any::<(i64, i64)>(),
    ) -> Entry {
        let author = author.map(|(service, origin, id)| EntryAuthor { service, origin, command_id: CommandId::new(&id).unwrap() });
        Entry {
            customer: Customer::new(&customer).unwrap(),
            seq,
            author,
            content: Content(Arc::from(content)),
            message_id: message_id.into(),
            in_reply_to: in_reply_to.into(),
            sent_at_ms,
            offset,
            at_ms,
        }
    }
}

fn encoded<T>(value: &T, encode: fn(&T, &mut Vec<u8>)) -> Vec<u8> {
    // Behind what is there already.
    let mut bytes = vec![7];
    encode(value, &mut bytes);
    bytes.split_off(1)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers(number in number()) {
        prop_assert_eq!(decode_number(&encoded(&number, encode_number)), Ok(number));
    }

    #[test]
    fn conversations(conversation in conversation()) {
        prop_assert_eq!(decode_conversation(&encoded(&conversation, encode_conversation)), Ok(conversation));
    }

    /// What it grew by, behind what it was: the same as all of it, however often.
    #[test]
    fn growth_of_conversations(
        mut conversation in conversation(),
        changes in prop::collection::vec((conversation(), 0_usize..300), 1..4),
    ) {
        let mut bytes = encoded(&conversation, encode_conversation);
        let mut all = [IdKind::Message, IdKind::Other].map(|kind| (kind, conversation.ids(kind).fresh().collect::<Vec<_>>()));
        for (next, count) in changes {
            conversation.kept();
            for (kind, all) in &mut all {
                let recent = match kind {
                    IdKind::Message => &mut conversation.messages,
                    IdKind::Other => &mut conversation.others,
                };
                next.ids(*kind).fresh().take(count).for_each(|id| {
                    recent.remember(id);
                    all.push(id);
                });
            }
            let Conversation { messages, others, .. } = conversation;
            conversation = Conversation { messages, others, ..next };
            encode_conversation(&conversation, &mut bytes);
            let joined = join_conversation(&bytes).unwrap();
            for bytes in [&bytes, &joined] {
                prop_assert_eq!(decode_conversation(bytes), Ok(conversation.clone()));
            }
            for (kind, all) in &all {
                let last = &all[all.len().saturating_sub(WINDOW_IDS)..];
                prop_assert_eq!(&kept_ids(&bytes, *kind).unwrap(), all);
                prop_assert_eq!(&kept_ids(&joined, *kind).unwrap(), last);
            }
        }
        conversation.kept();
        bytes.truncate(0);
        encode_conversation(&conversation, &mut bytes);
        prop_assert!(bytes.len() < 300, "what is kept already is left out");
    }

    #[test]
    fn entries(entry in entry()) {
        prop_assert_eq!(decode_entry(&encoded(&entry, encode_entry)), Ok(entry));
    }

    /// Whatever a disk makes of them, reading ends well: with a value or with an error.
    #[test]
    fn damaged(conversation in conversation(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = encoded(&conversation, encode_conversation);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(if cut { at } else { bytes.len() });
        }
        let _ = (decode_conversation(&bytes), decode_number(&bytes), decode_entry(&bytes));
        let _ = (join_conversation(&bytes), kept_ids(&bytes, IdKind::Other));
    }
}

#[test]
fn nothing_is_stored_of_nothing() {
    assert!(encoded(&Number::default(), encode_number).is_empty());
    assert_eq!(decode_number(b""), Ok(Number::default()));
    assert_eq!(decode_conversation(b""), Ok(Conversation::default()));
    assert!(decode_entry(b"").is_err(), "an entry has a customer");
}
