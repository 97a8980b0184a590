#include <stddef.h>
#include <stdint.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Three bytes become four letters; `out` must hold 4 * ((n + 2) / 3) + 1. */
size_t b64_encode(const uint8_t *in, size_t n, char *out)
{
    char *p = out;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16;
        if (i + 1 < n) v |= (uint32_t)in[i + 1] << 8;
        if (i + 2 < n) v |= in[i + 2];
        *p++ = ALPHABET[v >> 18];
        *p++ = ALPHABET[v >> 12 & 63];
        *p++ = i + 1 < n ? ALPHABET[v >> 6 & 63] : '=';
        *p++ = i + 2 < n ? ALPHABET[v & 63] : '=';
    }
    *p = '\0';
    return (size_t)(p - out);
}

/* Length of the run and the byte, over and over; returns how many bytes were written. */
size_t rle_compress(const uint8_t *in, size_t n, uint8_t *out)
{
    size_t w = 0;
    for (size_t i = 0; i < n;) {
        size_t run = 1;
        while (i + run < n && run < 255 && in[i + run] == in[i]) run++;
        out[w++] = (uint8_t)run;
        out[w++] = in[i];
        i += run;
    }
    return w;
}
