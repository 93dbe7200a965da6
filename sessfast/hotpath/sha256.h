/* SHA-256's compression function, HMAC over precomputed states, and what a MAC needs on its
 * way out: base64, constant-time comparison, wiping.
 *
 * Source: FIPS 180-4 s4.1.2, s4.2.2, s5.3.3, s6.2; RFC 2104 s4 (precomputed pads);
 * RFC 4648 s4, s5. No other use of this SHA-256: hashlib's states can't be kept as 32 octets.
 */
#ifndef SESSFAST_SHA256_H
#define SESSFAST_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Hardware paths are compiled for these and chosen at run time. */
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define SF_SHA_NI 1
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__AARCH64EL__) && defined(__ARM_FEATURE_SHA2)
#define SF_ARMV8 1 /* the compiler was told that every machine has it, as on Apple silicon */
#define SF_ARMV8_TARGET
#include <arm_neon.h>
#elif defined(__AARCH64EL__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define SF_ARMV8 1
#define SF_ARMV8_TARGET __attribute__((target("+crypto")))
#include <arm_neon.h>
#include <sys/auxv.h>
#endif

#define SF_BLOCK 64  /* octets per compression */
#define SF_DIGEST 32

/* Take `blocks` blocks of 64 octets at `data` into the state. */
typedef void (*sf_compress)(uint32_t state[8], const uint8_t *data, size_t blocks);

static const uint32_t SF_INITIAL[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t SF_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t sf_load(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void sf_store(uint8_t *at, uint32_t word) {
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap32(word); /* left alone, GCC 12 takes ten times as many instructions */
    memcpy(at, &word, sizeof word);
#else
    at[0] = (uint8_t)(word >> 24);
    at[1] = (uint8_t)(word >> 16);
    at[2] = (uint8_t)(word >> 8);
    at[3] = (uint8_t)word;
#endif
}

#define SF_ROTATE(word, count) ((word) >> (count) | (word) << (32 - (count)))

static void sf_compress_scalar(uint32_t state[8], const uint8_t *data, size_t blocks) {
    uint32_t schedule[64];
    for (; blocks; blocks--, data += SF_BLOCK) {
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 16; i++) schedule[i] = sf_load(data + 4 * i);
        for (int i = 16; i < 64; i++) {
            uint32_t x = schedule[i - 15], y = schedule[i - 2];
            uint32_t small0 = SF_ROTATE(x, 7) ^ SF_ROTATE(x, 18) ^ x >> 3;
            uint32_t small1 = SF_ROTATE(y, 17) ^ SF_ROTATE(y, 19) ^ y >> 10;
            schedule[i] = small1 + schedule[i - 7] + small0 + schedule[i - 16];
        }
        for (int i = 0; i < 64; i++) {
            uint32_t big1 = SF_ROTATE(e, 6) ^ SF_ROTATE(e, 11) ^ SF_ROTATE(e, 25);
            uint32_t big0 = SF_ROTATE(a, 2) ^ SF_ROTATE(a, 13) ^ SF_ROTATE(a, 22);
            uint32_t first = h + big1 + ((e & f) ^ (~e & g)) + SF_K[i] + schedule[i];
            uint32_t second = big0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + first;
            d = c, c = b, b = a, a = first + second;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#ifdef SF_SHA_NI

/* The instructions keep the state as ABEF and CDGH, and take four rounds' words at a time. */
__attribute__((target("sha,sse4.1")))
static void sf_compress_sha_ni(uint32_t state[8], const uint8_t *data, size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i low = _mm_loadu_si128((const __m128i *)&state[0]);
    __m128i high = _mm_loadu_si128((const __m128i *)&state[4]);
    low = _mm_shuffle_epi32(low, 0xB1);   /* CDAB */
    high = _mm_shuffle_epi32(high, 0x1B); /* EFGH */
    __m128i abef = _mm_alignr_epi8(low, high, 8);
    __m128i cdgh = _mm_blend_epi16(high, low, 0xF0);

    for (; blocks; blocks--, data += SF_BLOCK) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i words[4];
        for (int i = 0; i < 4; i++)
            words[i] = _mm_shuffle_epi8(
                _mm_loadu_si128((const __m128i *)(data + 16 * i)), swap);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i four = words[i & 3];
            __m128i sum = _mm_add_epi32(four, _mm_loadu_si128((const __m128i *)&SF_K[4 * i]));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
            if (i < 12) { /* the words of four rounds, sixteen rounds on */
                __m128i latest = words[(i + 3) & 3];
                __m128i next = _mm_sha256msg1_epu32(four, words[(i + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(latest, words[(i + 2) & 3], 4));
                words[i & 3] = _mm_sha256msg2_epu32(next, latest);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }

    abef = _mm_shuffle_epi32(abef, 0x1B); /* FEBA */
    cdgh = _mm_shuffle_epi32(cdgh, 0xB1); /* DCHG */
    _mm_storeu_si128((__m128i *)&state[0], _mm_blend_epi16(abef, cdgh, 0xF0));
    _mm_storeu_si128((__m128i *)&state[4], _mm_alignr_epi8(cdgh, abef, 8));
}

static int sf_has_hardware(void) {
    unsigned int a, b, c, d;
    const unsigned int ssse3 = 1u << 9, sse41 = 1u << 19, sha = 1u << 29;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & ssse3) || !(c & sse41)) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & sha) != 0;
}

#define SF_HARDWARE sf_compress_sha_ni
#define SF_HARDWARE_NAME "sha-ni"

#elif defined(SF_ARMV8)

SF_ARMV8_TARGET
static void sf_compress_armv8(uint32_t state[8], const uint8_t *data, size_t blocks) {
    uint32x4_t abcd = vld1q_u32(&state[0]), efgh = vld1q_u32(&state[4]);
    for (; blocks; blocks--, data += SF_BLOCK) {
        const uint32x4_t abcd_before = abcd, efgh_before = efgh;
        uint32x4_t words[4];
        for (int i = 0; i < 4; i++)
            words[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + 16 * i)));
        for (int i = 0; i < 16; i++) {
            const uint32x4_t four = words[i & 3], abcd_now = abcd;
            const uint32x4_t sum = vaddq_u32(four, vld1q_u32(&SF_K[4 * i]));
            abcd = vsha256hq_u32(abcd, efgh, sum);
            efgh = vsha256h2q_u32(efgh, abcd_now, sum);
            if (i < 12)
                words[i & 3] = vsha256su1q_u32(
                    vsha256su0q_u32(four, words[(i + 1) & 3]),
                    words[(i + 2) & 3], words[(i + 3) & 3]);
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(&state[0], abcd);
    vst1q_u32(&state[4], efgh);
}

static int sf_has_hardware(void) {
#ifdef __ARM_FEATURE_SHA2
    return 1;
#else
    return (getauxval(AT_HWCAP) & (1ul << 6)) != 0; /* HWCAP_SHA2 */
#endif
}

#define SF_HARDWARE sf_compress_armv8
#define SF_HARDWARE_NAME "armv8"

#else

static int sf_has_hardware(void) { return 0; }

#define SF_HARDWARE sf_compress_scalar
#define SF_HARDWARE_NAME "scalar"

#endif

static inline sf_compress sf_best(void) {
    return sf_has_hardware() ? SF_HARDWARE : sf_compress_scalar;
}

static inline const char *sf_name(sf_compress compress) {
    return compress == sf_compress_scalar ? "scalar" : SF_HARDWARE_NAME;
}

/* The digest of `taken` octets (whole blocks) that are in `state` already, and of `size` more. */
static inline void sf_finish(
    sf_compress compress, uint32_t state[8], uint64_t taken,
    const uint8_t *data, size_t size, uint8_t digest[SF_DIGEST]
) {
    uint8_t tail[2 * SF_BLOCK];
    const size_t whole = size / SF_BLOCK, rest = size % SF_BLOCK;
    const size_t padded = rest < SF_BLOCK - 8 ? SF_BLOCK : 2 * SF_BLOCK;
    const uint64_t bits = (taken + size) * 8;
    if (whole) compress(state, data, whole);
    memset(tail, 0, SF_BLOCK); /* in fixed sizes, so that it is no call */
    if (padded > SF_BLOCK) memset(tail + SF_BLOCK, 0, SF_BLOCK);
    if (rest) memcpy(tail, data + whole * SF_BLOCK, rest);
    tail[rest] = 0x80;
    sf_store(tail + padded - 8, (uint32_t)(bits >> 32));
    sf_store(tail + padded - 4, (uint32_t)bits);
    compress(state, tail, padded / SF_BLOCK);
    for (int i = 0; i < 8; i++) sf_store(digest + 4 * i, state[i]);
}

static inline void sf_sha256(
    sf_compress compress, const uint8_t *data, size_t size, uint8_t digest[SF_DIGEST]
) {
    uint32_t state[8];
    memcpy(state, SF_INITIAL, sizeof state);
    sf_finish(compress, state, 0, data, size, digest);
}

/* Overwrite with zeros, also where the compiler sees that nobody reads them. */
static inline void sf_wipe(void *data, size_t size) {
#ifdef __GNUC__
    memset(data, 0, size);
    __asm__ __volatile__("" : : "r"(data) : "memory"); /* as if somebody read them */
#else
    volatile uint8_t *at = (volatile uint8_t *)data;
    while (size--) *at++ = 0;
#endif
}

/* A key: the states after its inner and its outer pad. */
typedef struct {
    uint32_t inner[8];
    uint32_t outer[8];
} sf_key;

static inline void sf_set_key(
    sf_compress compress, sf_key *key, const uint8_t *secret, size_t size
) {
    uint8_t pad[SF_BLOCK] = {0};
    if (size > SF_BLOCK) sf_sha256(compress, secret, size, pad);
    else if (size) memcpy(pad, secret, size);
    for (int i = 0; i < SF_BLOCK; i++) pad[i] ^= 0x36;
    memcpy(key->inner, SF_INITIAL, sizeof key->inner);
    compress(key->inner, pad, 1);
    for (int i = 0; i < SF_BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
    memcpy(key->outer, SF_INITIAL, sizeof key->outer);
    compress(key->outer, pad, 1);
    sf_wipe(pad, sizeof pad);
}

static inline void sf_mac(
    sf_compress compress, const sf_key *key, const uint8_t *data, size_t size,
    uint8_t mac[SF_DIGEST]
) {
    uint32_t state[8];
    memcpy(state, key->inner, sizeof state);
    sf_finish(compress, state, SF_BLOCK, data, size, mac);
    memcpy(state, key->outer, sizeof state);
    sf_finish(compress, state, SF_BLOCK, mac, SF_DIGEST, mac);
}

/* Whether two MACs are equal, in a time that doesn't tell where they differ. */
static inline int sf_same(const uint8_t first[SF_DIGEST], const uint8_t second[SF_DIGEST]) {
    volatile uint64_t differing = 0; /* volatile: no compiler may leave the loop early */
    for (int i = 0; i < SF_DIGEST; i += 8) {
        uint64_t one, other;
        memcpy(&one, first + i, 8);
        memcpy(&other, second + i, 8);
        differing |= one ^ other;
    }
    return differing == 0;
}

#define SF_STANDARD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define SF_URLSAFE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* Write base64 without padding: 4 characters for 3 octets, 3 for a rest of 2. */
static inline void sf_encode(
    const char *alphabet, const uint8_t *data, size_t size, char *text
) {
    for (; size >= 3; size -= 3, data += 3) {
        uint32_t bits = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        *text++ = alphabet[bits >> 18];
        *text++ = alphabet[bits >> 12 & 63];
        *text++ = alphabet[bits >> 6 & 63];
        *text++ = alphabet[bits & 63];
    }
    if (size == 2) {
        *text++ = alphabet[data[0] >> 2];
        *text++ = alphabet[(data[0] & 3) << 4 | data[1] >> 4];
        *text++ = alphabet[(data[1] & 15) << 2];
    }
}

/* What a character of standard base64 stands for; 64 for any other octet. Looked up in a table:
 * it is read for what a client sent, never for a secret. */
static const uint8_t SF_SEXTETS[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64, 64, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64, 64, 0, 1, 2, 3, 4, 5, 6,
    7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
};

/* Read the 43 characters of a MAC; 0 where they aren't the canonical text of any. */
static inline int sf_decode(const uint8_t *text, uint8_t mac[SF_DIGEST]) {
    uint32_t seen = 0;
    for (int i = 0; i < 11; i++, text += 4, mac += 3) {
        uint32_t a = SF_SEXTETS[text[0]], b = SF_SEXTETS[text[1]], c = SF_SEXTETS[text[2]];
        uint32_t d = i < 10 ? SF_SEXTETS[text[3]] : 0;
        seen |= a | b | c | d;
        mac[0] = (uint8_t)(a << 2 | b >> 4);
        mac[1] = (uint8_t)(b << 4 | c >> 2);
        if (i < 10) mac[2] = (uint8_t)(c << 6 | d);
        else if (c & 3) return 0; /* pad bits */
    }
    return seen < 64;
}

#endif
