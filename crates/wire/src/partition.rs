//! Where a key belongs: murmur2, as Java clients do it.

/// The partition of a key among `partitions`, as a Java producer would choose it.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `org.apache.kafka.common.utils.Utils.murmur2` of the Java client 4.1.1; the first six are also in its
    /// own tests.
    #[test]
    fn as_the_java_client() {
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    /// From `Utils.murmur2` and `Utils.toPositive(...) % n` of the Java client 4.1.1: numbers, their hashes, and their
    /// partitions of 3, 12, 64 and 1,000.
    #[test]
    fn numbers_as_the_java_client() {
        let table: [(&str, i32, [u32; 4]); 30] = [
            ("+4930111222", -111_584_249, [0, 3, 7, 399]),
            ("+12345678", -54_804_498, [2, 2, 46, 150]),
            ("+123456789012345", 1_079_354_970, [0, 6, 26, 970]),
            ("+4915155501", 1_296_746_039, [2, 11, 55, 39]),
            ("+4930999999", 1_389_437_447, [2, 11, 7, 447]),
            ("+15550100", -1_524_978_238, [1, 10, 2, 410]),
            ("+442071838750", 1_136_642_439, [0, 3, 7, 439]),
            ("+33140205050", 1_829_962_095, [0, 3, 47, 95]),
            ("+8613800138000", 624_769_832, [2, 8, 40, 832]),
            ("+919876543210", 535_980_665, [2, 5, 57, 665]),
            ("+5511987654321", -334_478_380, [1, 4, 20, 268]),
            ("+27831234567", -899_708_355, [2, 5, 61, 293]),
            ("+61255501234", -558_625_745, [0, 3, 47, 903]),
            ("+81312345678", 36_706_701, [0, 9, 13, 701]),
            ("+34910000000", 760_155_986, [2, 2, 18, 986]),
            ("+390612345678", -483_056_890, [1, 10, 6, 758]),
            ("+48221234567", -592_848_424, [1, 4, 24, 224]),
            ("+902121234567", -1_853_747_407, [1, 1, 49, 241]),
            ("+2348031234567", -1_601_936_830, [1, 10, 2, 818]),
            ("+6561234567", 1_335_761_796, [0, 0, 4, 796]),
            ("+525512345678", -775_011_844, [1, 4, 60, 804]),
            ("+14155550123", 11_841_273, [0, 9, 57, 273]),
            ("+4940123456", 1_502_386_011, [0, 3, 27, 11]),
            ("+31201234567", 157_419_315, [0, 3, 51, 315]),
            ("+46812345678", -31_345_723, [1, 1, 5, 925]),
            ("+358912345678", -1_081_973_648, [0, 0, 48, 0]),
            ("+97142345678", 1_991_507_115, [0, 3, 43, 115]),
            ("+972501234567", 517_277_664, [0, 0, 32, 664]),
            ("+351211234567", -1_812_647_955, [2, 5, 45, 693]),
            ("+420222123456", 1_334_132_612, [2, 8, 4, 612]),
        ];
        for (number, hash, partitions) in table {
            assert_eq!(murmur2(number.as_bytes()).cast_signed(), hash, "{number}");
            assert_eq!([3, 12, 64, 1_000].map(|of| partition_of(number.as_bytes(), of)), partitions, "{number}");
            assert_eq!([0, 1].map(|of| partition_of(number.as_bytes(), of)), [0, 0], "{number}");
        }
        assert_eq!(murmur2(b"").cast_signed(), 275_646_681);
    }
}
