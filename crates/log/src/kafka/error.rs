//! librdkafka's errors, as far as someone branches on them.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::LogError;

/// The error of an operation that may be tried again unless Kafka refused it.
pub(super) fn failed(doing: &str, error: &KafkaError) -> LogError {
    match error {
        // rust-rdkafka says no code for these.
        KafkaError::AdminOp(code) => from_code(doing, *code, error.to_string()),
        KafkaError::Canceled | KafkaError::PauseResume(_) | KafkaError::Seek(_) => {
            LogError::Unreachable(format!("{doing}: {error}"))
        }
        other => match other.rdkafka_error_code() {
            Some(code) => from_code(doing, code, error.to_string()),
            None => LogError::Refused(format!("{doing}: {error}")),
        },
    }
}

/// The same, from a bare code.
pub(super) fn from_code(doing: &str, code: Code, text: String) -> LogError {
    let text = format!("{doing}: {text}");
    match code {
        _ if is_refusal(code) => LogError::Refused(text),
        Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation => LogError::OutOfRange(text),
        Code::FencedInstanceId => LogError::Fenced(text),
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => LogError::Transaction(text),
        _ => LogError::Unreachable(text),
    }
}

/// The error of a transaction: over for this producer, whatever it was.
pub(super) fn transaction(doing: &str, error: &KafkaError) -> LogError {
    match failed(doing, error) {
        LogError::Unreachable(text) => LogError::Transaction(text),
        other => other,
    }
}

/// The error of a record that was not taken.
pub(super) fn delivery(topic: &str, error: &KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition) => LogError::NoTopic(topic.to_owned()),
        _ => transaction(&format!("a record for {topic}"), error),
    }
}

/// Whether trying again cannot help: configuration, credentials, permissions. Not a replication factor that is too
/// large: that is also said while a broker is just coming back.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::SSL
            | Code::SecurityDisabled
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::InvalidConfig
            | Code::InvalidPartitions
            | Code::InvalidTopic
            | Code::InvalidTransactionTimeout
            | Code::InvalidSessionTimeout
            | Code::InconsistentGroupProtocol
            | Code::InvalidGroupId
            | Code::PolicyViolation
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::MessageSizeTooLarge
            | Code::OffsetMetadataTooLarge
            | Code::InvalidArgument
    )
}

/// Whether librdkafka deals with it by itself, by connecting again or asking another broker.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::KafkaStorageError
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::PollExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_whose_fault_it_is() {
        let of = |code| from_code("asking", code, "why".to_owned());
        assert!(matches!(of(Code::SaslAuthenticationFailed), LogError::Refused(_)));
        assert!(matches!(of(Code::OffsetOutOfRange), LogError::OutOfRange(_)));
        assert!(matches!(of(Code::FencedInstanceId), LogError::Fenced(_)));
        assert!(matches!(of(Code::Fenced), LogError::Transaction(_)));
        assert!(matches!(of(Code::BrokerTransportFailure), LogError::Unreachable(text) if text == "asking: why"));
        assert!(of(Code::InvalidReplicationFactor).is_passing());
        let gone = KafkaError::AdminOp(Code::BrokerTransportFailure);
        assert!(failed("creating a topic", &gone).is_passing());
        assert!(!failed("creating a topic", &KafkaError::AdminOp(Code::PolicyViolation)).is_passing());
        assert!(failed("starting", &KafkaError::Seek("timed out".to_owned())).is_passing());
        let down = KafkaError::Flush(Code::OperationTimedOut);
        assert!(matches!(transaction("committing", &down), LogError::Transaction(_)));
        let unknown = KafkaError::MessageProduction(Code::UnknownTopic);
        assert!(matches!(delivery("t", &unknown), LogError::NoTopic(topic) if topic == "t"));
    }
}
