#include "tensor/text.h"

#include <cstdint>

namespace mini {
namespace {

// One character of UTF-8 at the start of a text. No bytes: there is none (RFC 3629, section 4).
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  std::uint32_t code = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool no_character = (code >= 0xd800 && code < 0xe000) || code > 0x10ffff;
  if (too_long || no_character) return {};
  return {code, length};
}

bool steers(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool line_break = code == 0x2028 || code == 0x2029;
  const bool direction = code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                         (code >= 0x2066 && code <= 0x2069);
  return control || line_break || direction;
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    std::size_t plain = 0;  // most texts are ASCII
    while (plain < text.size() && text[plain] >= ' ' && text[plain] <= '~') ++plain;
    result += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Character character = first_character(text);
    const bool shown = character.bytes > 0 && !steers(character.code);
    const std::size_t bytes = character.bytes > 0 ? character.bytes : 1;
    if (shown) result += text.substr(0, bytes);
    for (std::size_t i = 0; i < bytes && !shown; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      result += "\\x";
      result += digits[byte >> 4];
      result += digits[byte & 15];
    }
    text.remove_prefix(bytes);
  }
  return result;
}

std::string printable(std::string_view text, std::size_t most) {
  if (text.size() <= most) return printable(text);
  const std::size_t tail = most / 4;
  return printable(text.substr(0, most - tail)) + " ... " +
         printable(text.substr(text.size() - tail));
}

}  // namespace mini
