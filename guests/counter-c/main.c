// A counter in C. Every name is a counter of its own, with its own store.
//
// `counter.h` and `counter.c` are made from `wit/` by wit-bindgen: functions that the host calls begin with `exports_`
// and are written here, functions of the host begin with `dohost_object_`. Functions that can fail give `true` if they
// did not. What is passed in is ours to free; what is given back is freed by the bindings.
//
// On the synchronous ABI: the next event begins when this one is done.

#include <stdlib.h>
#include <string.h>

#include "counter.h"

// Room for any 64-bit number, its sign and a zero at the end.
#define DIGITS_MAX 21

typedef exports_dohost_object_handler_request_t request_t;
typedef exports_dohost_object_handler_response_t response_t;

static bool fail(counter_string_t *error, const char *text) {
    counter_string_dup(error, text);
    return false;
}

// The host refused a storage call: its words are our exception.
static bool refuse(counter_string_t *error, const dohost_object_storage_error_t *refused) {
    *error = refused->val.invalid; // each case is a text, in the same place
    return false;
}

// Reads a number that fills the whole text.
static bool parse(const counter_list_u8_t *text, int64_t *number) {
    char digits[DIGITS_MAX];
    if (text->len == 0 || text->len >= sizeof digits) return false;
    memcpy(digits, text->ptr, text->len);
    digits[text->len] = '\0';
    char *end;
    *number = strtoll(digits, &end, 10);
    return end == digits + text->len;
}

// Writes a number and gives how long it is. Not snprintf, which would bring all of stdio along, and with it WASI.
static size_t format(int64_t number, char text[DIGITS_MAX]) {
    char digits[DIGITS_MAX];
    size_t count = 0, length = 0;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do digits[count++] = '0' + rest % 10;
    while (rest /= 10);
    if (number < 0) text[length++] = '-';
    while (count > 0) text[length++] = digits[--count];
    text[length] = '\0';
    return length;
}

// What was counted so far; 0 if nothing was ever counted.
bool exports_counter_value(int64_t *value, counter_string_t *error) {
    counter_string_t key;
    counter_string_set(&key, "count");
    counter_option_list_u8_t stored;
    dohost_object_storage_error_t refused;
    if (!dohost_object_storage_get(&key, &stored, &refused)) return refuse(error, &refused);

    *value = 0;
    bool is_number = !stored.is_some || parse(&stored.val, value);
    counter_option_list_u8_free(&stored);
    return is_number || fail(error, "the stored count is not a number");
}

// Read, add, write: needs no lock. While the object waits for its storage no other request gets in between, so no count
// is lost. And the write needs no waiting: the reply leaves only once the new value is on disk.
static bool add(int64_t amount, int64_t *value, counter_string_t *error) {
    if (!exports_counter_value(value, error)) return false;
    if (__builtin_add_overflow(*value, amount, value)) return fail(error, "the counter is full");

    char digits[DIGITS_MAX];
    counter_list_u8_t text = {(uint8_t *)digits, format(*value, digits)};
    counter_string_t key;
    counter_string_set(&key, "count");
    dohost_object_storage_error_t refused;
    return dohost_object_storage_put(&key, &text, &refused) || refuse(error, &refused);
}

bool exports_counter_increment(uint32_t *maybe_by, int64_t *value, counter_string_t *error) {
    return add(maybe_by ? *maybe_by : 1, value, error);
}

static bool reply(response_t *response, uint16_t status, const char *body) {
    response->status = status;
    response->headers.len = 1;
    response->headers.ptr = malloc(sizeof *response->headers.ptr);
    counter_string_dup(&response->headers.ptr->name, "content-type");
    counter_string_dup((counter_string_t *)&response->headers.ptr->value, "text/plain");
    counter_string_dup((counter_string_t *)&response->body, body);
    return true;
}

static bool is(const counter_string_t *text, const char *other) {
    return text->len == strlen(other) && memcmp(text->ptr, other, text->len) == 0;
}

bool exports_dohost_object_handler_fetch(request_t *request, response_t *response, counter_string_t *error) {
    counter_string_t *path = &request->path;
    bool is_read = is(path, "/") || is(path, "/value");
    int64_t amount = is(path, "/increment") ? 1 : is(path, "/decrement") ? -1 : 0;
    exports_dohost_object_handler_request_free(request);

    if (!is_read && amount == 0) return reply(response, 404, "Not found");
    int64_t value;
    if (!(is_read ? exports_counter_value(&value, error) : add(amount, &value, error))) return false;
    char digits[DIGITS_MAX];
    format(value, digits);
    return reply(response, 200, digits);
}
