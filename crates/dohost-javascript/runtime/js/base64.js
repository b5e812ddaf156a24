// atob and btoa of the HTML Standard.

import { DOMException } from "dohost:errors";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function btoa(text) {
  text = String(text);
  let encoded = "";
  for (let index = 0; index < text.length; index += 3) {
    const bytes = [text.charCodeAt(index), text.charCodeAt(index + 1), text.charCodeAt(index + 2)];
    if (bytes.some((byte) => byte > 255)) {
      throw new DOMException("btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range.", "InvalidCharacterError");
    }
    const word = (bytes[0] << 16) | (bytes[1] << 8) | bytes[2];
    encoded += DIGITS[word >> 18] + DIGITS[(word >> 12) & 63];
    encoded += index + 1 < text.length ? DIGITS[(word >> 6) & 63] : "=";
    encoded += index + 2 < text.length ? DIGITS[word & 63] : "=";
  }
  return encoded;
}

export function atob(encoded) {
  encoded = String(encoded).replace(/[\t\n\f\r ]/g, "");
  if (encoded.length % 4 === 0) encoded = encoded.replace(/==?$/, "");
  if (encoded.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(encoded)) {
    throw new DOMException("atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', alphanumeric ASCII, and up to two terminal '=' signs when the input data length is divisible by 4 are allowed.)", "InvalidCharacterError");
  }
  let text = "";
  let word = 0;
  let bits = 0;
  for (const digit of encoded) {
    word = ((word << 6) | DIGITS.indexOf(digit)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      text += String.fromCharCode((word >> bits) & 255);
    }
  }
  return text;
}
