//! Connecting a producer at once. librdkafka connects to the address that it was given, and lets go of that connection as
//! soon as it knows the broker's own name; whatever it wants of a broker just then, it wants again 500 ms later: the id
//! without which a producer sends nothing, the coordinator of its transactions.

use rdkafka::{ClientContext, client::Client, error::KafkaResult};

use super::REQUEST;

/// Returns once a broker is connected under its own name, where it has partition 0 of `topic`, and knows what the client
/// wants.
///
/// # Errors
/// If no broker answers.
pub(super) fn connect<C: ClientContext>(client: &Client<C>, topic: &str) -> KafkaResult<()> {
    let metadata = client.fetch_metadata(Some(topic), REQUEST)?;
    if metadata.topics().iter().any(|topic| !topic.partitions().is_empty()) {
        // This is asked under that name.
        drop(client.fetch_watermarks(topic, 0, REQUEST));
        // And once this is answered, it looks for a broker to ask.
        client.fetch_metadata(Some(topic), REQUEST)?;
    }
    Ok(())
}
