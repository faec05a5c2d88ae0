// What the command lines of the programs share: numbers and sizes as people write them, several values
// after one option, and streams that are closed.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "tensor/error.h"

namespace mini::command_line {

// A descriptor that the caller has closed (>&-) would be given to the next file that is opened, and what
// is printed would land in that file. Takes the place of standard ones with streams that only fail.
inline void keep_standard_streams() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(standard, F_GETFD) == -1 && errno == EBADF) [[maybe_unused]]
      const int same = ::open("/dev/null", standard == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

// The words behind the program's name. A path [photos] becomes ./[photos], which CLI11 does not take for a
// list.
inline std::vector<std::string> words_of(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  for (std::string& word : words)
    if (word.starts_with('[') && word.ends_with(']')) word.insert(0, "./");
  return words;
}

inline std::string trimmed(const std::string& text) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  const auto first = std::find_if_not(text.begin(), text.end(), is_space);
  const auto last = std::find_if_not(text.rbegin(), text.rend(), is_space).base();
  return first < last ? std::string(first, last) : std::string();
}

// Whole numbers in decimal: CLI11 takes 010 for eight.
inline CLI::Validator decimal() {
  return {[](std::string& text) -> std::string {
            const std::string number = trimmed(text);
            const std::size_t sign = number.starts_with('-') ? 1 : 0;
            if (number.size() == sign ||
                number.find_first_not_of("0123456789", sign) != std::string::npos)
              return "'" + text + "' is no whole number";
            const std::size_t digits =
                std::min(number.find_first_not_of('0', sign), number.size() - 1);
            text = number.substr(0, sign) + number.substr(digits);
            return {};
          },
          ""};
}

// "500M", "0.5G", "1e6", "800 kB": bytes or pixels; K, M, G and T are powers of 1000.
inline double parse_size(const std::string& given) {
  const std::string text = trimmed(given);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (unit.ends_with('B')) unit.pop_back();
  constexpr std::string_view units = "KMGT";
  const std::size_t power = unit.empty() ? 0 : units.find(unit[0]) + 1;  // 0 where it is none
  const double size = number * std::pow(1000.0, static_cast<double>(power));
  check(error == std::errc() && (unit.empty() || (unit.size() == 1 && power > 0)) && size >= 1 &&
            size < 9e18,
        "'", given, "' is no size; write for instance 500M, 0.5G or a number");
  return size;
}

// The same as an option's transformation into a whole number.
inline CLI::Validator size() {
  return {[](std::string& text) -> std::string {
            try {
              text = std::to_string(static_cast<std::int64_t>(parse_size(text)));
              return {};
            } catch (const Error& error) {
              return error.what();
            }
          },
          ""};
}

// `--quality 30 90`: the 90 would be taken for a path. `is_value` tells whether a word is such a value.
template <class IsValue>
void check_one_word(const std::vector<std::string>& words, const std::string& option,
                    const std::string& short_option, const IsValue& is_value) {
  for (std::size_t i = 0; i + 2 < words.size(); ++i)
    if ((words[i] == option || words[i] == short_option) && is_value(words[i + 1]))
      check(!is_value(words[i + 2]), option, " ", words[i + 1], " ", words[i + 2],
            ": give several values as one word (", option, " ", words[i + 1], ",", words[i + 2],
            "), and a path of that name as ./", words[i + 2]);
}

}  // namespace mini::command_line
