// Reading, writing and documenting a table of fields. See train/fields.h.
#include "train/fields.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "io/file.h"
#include "io/json.h"
#include "tensor/error.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t deepest = 32;              // levels of nesting; printing a value recurses
constexpr std::size_t longest_key = 200;         // bytes for which the nearest is looked up
constexpr std::int64_t longest_range = 100'000;  // numbers that one "a..b" may stand for

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;  // clang 14 does not find this itself

std::string last_key(std::string_view path) {
  return std::string(path.substr(path.rfind('.') + 1));
}

// The shortest digits that read back as the same number; whole numbers without a point.
std::string number_text(double value) {
  if (std::abs(value) < 1e15 && value == std::floor(value))
    return std::to_string(static_cast<std::int64_t>(value));
  return json(value).dump();
}

// "in (0, 1]", "at least 1", "more than 0"; empty when anything goes.
std::string range_text(const Range& range) {
  if (std::isfinite(range.low) && std::isfinite(range.high))
    return concat_text("in ", range.open ? "(" : "[", number_text(range.low), ", ",
                       number_text(range.high), "]");
  if (std::isfinite(range.low))
    return (range.open ? "more than " : "at least ") + number_text(range.low);
  return std::isfinite(range.high) ? "at most " + number_text(range.high) : std::string();
}

bool holds_numbers(const Field& field) {
  return std::holds_alternative<int*>(field.value) ||
         std::holds_alternative<std::int64_t*>(field.value);
}

// "jpeg" or "webp"
std::string choices_text(const Field& field) {
  std::string text;
  for (std::size_t i = 0; i < field.choices.size(); ++i) {
    const std::string& name = field.choices[i];
    text += i == 0 ? "" : i + 1 == field.choices.size() ? " or " : ", ";
    text += holds_numbers(field) ? name : json(name).dump();
  }
  return text;
}

// A value as JSON without spaces. Bytes that are not UTF-8, in a path for instance, become U+FFFD.
std::string compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// The same for an error message, where the end of a long value is left out.
std::string value_text(const json& value) {
  std::string text = compact(value);
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  return text;
}

// Converts one JSON value into what a field points to. Throws texts that begin with the path.
class Reader {
 public:
  Reader(const Field& field, const fs::path& folder) : field_(field), folder_(folder) {}

  void read(const json& value) const {
    std::visit(Overloaded{[&](const Choice& choice) { choice.set(index(value)); },
                          [&](auto* out) { convert(value, *out); }},
               field_.value);
  }

 private:
  [[noreturn]] void reject(const std::string& expected, const json& got) const {
    fail(field_.path, ": must be ", expected, ", got ", value_text(got));
  }

  void convert(const json& value, bool& out) const {
    if (!value.is_boolean()) reject("true or false", value);
    out = value.get<bool>();
  }

  void convert(const json& value, double& out) const {
    if (!value.is_number()) reject("a number", value);
    out = value.get<double>();
    const Range& range = field_.range;
    if (out > range.high || out < range.low || (range.open && out == range.low))
      reject(range_text(range), value);
  }

  // 5e5 is a whole number too.
  void convert(const json& value, std::int64_t& out) const {
    if (!value.is_number()) reject("a whole number", value);
    double number = 0;
    convert(value, number);
    if (number != std::floor(number) || std::abs(number) >= 0x1p53) reject("a whole number", value);
    out = static_cast<std::int64_t>(number);
    if (!field_.choices.empty()) index(std::to_string(out), value);
  }

  void convert(const json& value, int& out) const {
    std::int64_t wide = 0;
    convert(value, wide);
    out = static_cast<int>(wide);
    if (out != wide) reject("a smaller number", value);
  }

  void convert(const json& value, std::string& out) const {
    if (!value.is_string()) reject("a string", value);
    out = value.get<std::string>();
    if (!field_.choices.empty()) index(out, value);
  }

  // An empty path means none and stays empty.
  void convert(const json& value, fs::path& out) const {
    if (!value.is_string()) reject("a path in quotes", value);
    out = io::expand_home(value.get<std::string>());
    if (!out.empty()) out = (folder_ / out).lexically_normal();
  }

  template <class T>
  void convert(const json& value, std::vector<T>& out) const {
    json items = value.is_array() ? value : json::array({value});
    if constexpr (std::is_integral_v<T>)
      if (value.is_string()) items = numbers_between(value);
    out.resize(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) convert(items[i], out[i]);
  }

  // "30..90"
  json numbers_between(const json& value) const {
    const auto text = value.get<std::string>();
    const std::size_t dots = text.find("..");
    if (dots == std::string::npos) reject("a whole number, a list or \"first..last\"", value);
    const json low = json::parse(text.substr(0, dots), nullptr, false);
    const json high = json::parse(text.substr(dots + 2), nullptr, false);
    if (!low.is_number_integer() || !high.is_number_integer())
      reject("\"first..last\" in whole numbers", value);
    std::int64_t first = 0, last = 0;
    convert(low, first);
    convert(high, last);
    if (last < first || last - first >= longest_range) reject("\"first..last\" in order", value);
    json result = json::array();
    for (std::int64_t i = first; i <= last; ++i) result.push_back(i);
    return result;
  }

  std::size_t index(const json& value) const {
    return index(value.is_string() ? value.get<std::string>() : std::string(), value);
  }
  std::size_t index(const std::string& name, const json& value) const {
    const auto& choices = field_.choices;
    const auto found = std::find(choices.begin(), choices.end(), name);
    if (found == choices.end()) reject(choices_text(field_), value);
    return static_cast<std::size_t>(found - choices.begin());
  }

  const Field& field_;
  const fs::path& folder_;
};

bool holds_text(Fields fields, const std::string& path) {
  return std::any_of(fields.begin(), fields.end(), [&](const Field& field) {
    return field.path == path && (std::holds_alternative<std::string*>(field.value) ||
                                  std::holds_alternative<fs::path*>(field.value) ||
                                  std::holds_alternative<std::vector<fs::path>*>(field.value));
  });
}

bool is_group(Fields fields, const std::string& path) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return field.path.starts_with(path + "."); });
}

[[noreturn]] void unknown_key(Fields fields, const std::string& path) {
  check(path.size() <= longest_key, "unknown key ", path.substr(0, longest_key), "...");
  std::set<std::string> names;  // of fields and of the groups above them
  for (const Field& field : fields)
    for (std::size_t dot = 0; dot != std::string::npos;) {
      dot = field.path.find('.', dot + 1);
      names.insert(field.path.substr(0, dot));
    }
  const std::vector<std::string> candidates(names.begin(), names.end());
  fail("unknown key ", path, "; did you mean ", nearest_name(path, candidates), "?");
}

void assign(Fields fields, const std::string& path, const json& value, const fs::path& folder,
            UnknownKeys unknown) {
  const auto field =
      std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.path == path; });
  if (field != fields.end()) return Reader(*field, folder).read(value);
  if (!path.empty() && !is_group(fields, path)) {
    if (unknown == UnknownKeys::skipped) return;
    unknown_key(fields, path);
  }
  check(value.is_object(), path.empty() ? "the config" : path, ": must be an object {...}, got ",
        value_text(value));
  for (const auto& [key, item] : value.items())
    assign(fields, path.empty() ? key : concat_text(path, '.', key), item, folder, unknown);
}

json parse_strictly(std::string_view text) {
  return io::parse_json(text, deepest, io::JsonComments::ignored);
}

json to_json(const Field& field) {
  return std::visit(Overloaded{
                        [](const fs::path* path) { return json(path->string()); },
                        [](const std::vector<fs::path>* paths) {
                          json list = json::array();
                          for (const fs::path& path : *paths) list.push_back(path.string());
                          return list;
                        },
                        [&](const Choice& choice) { return json(field.choices.at(choice.get())); },
                        [](const auto* value) { return json(*value); },
                    },
                    field.value);
}

// 10 rather than 10.0, and lists on one line.
std::string one_line(const json& value) {
  if (value.is_number_float()) return number_text(value.get<double>());
  if (!value.is_array()) return compact(value);
  std::string text;
  for (const json& item : value) text += (text.empty() ? "" : ", ") + one_line(item);
  return "[" + text + "]";
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> keys;
  std::istringstream stream(path);
  for (std::string key; std::getline(stream, key, '.');) keys.push_back(key);
  return keys;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);  // distances of a's first i letters to b's first j
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

void read_fields(Fields fields, std::string_view text, const std::string& source,
                 const fs::path& folder, UnknownKeys unknown) {
  try {
    assign(fields, "", parse_strictly(text), folder, unknown);
  } catch (const Error& error) {
    fail(source, ": ", error.what());
  }
}

void set_field(Fields fields, const std::string& assignment, const fs::path& folder) {
  const std::size_t equals = assignment.find('=');
  check(equals != std::string::npos && equals > 0, "--set ", assignment,
        ": must be key=value, for instance train.lr=1e-4");
  const std::string text = assignment.substr(equals + 1);
  try {
    const std::string path = assignment.substr(0, equals);
    json value;
    try {
      value = parse_strictly(text);
    } catch (const Error&) {
      value = text;
    }
    // `--out 2024` and `--out true` mean folders of these names.
    if (!value.is_string() && !value.is_array() && holds_text(fields, path)) value = text;
    assign(fields, path, value, folder, UnknownKeys::refused);
  } catch (const Error& error) {
    fail("--set ", assignment, ": ", error.what());
  }
}

std::string write_fields(Fields fields, Comments comments) {
  std::ostringstream out;
  std::vector<std::string> open;  // the groups that the last line is in
  bool first = true;              // in its group
  const auto new_line = [&] {
    out << (first ? "\n" : ",\n");
    first = false;
  };
  const auto indent = [&] { return std::string(2 * (open.size() + 1), ' '); };
  const auto close = [&] {
    open.pop_back();
    out << "\n" << indent() << "}";
    first = false;
  };
  out << "{";
  for (const Field& field : fields) {
    const std::vector<std::string> keys = split_path(field.path);
    const auto groups_end = keys.end() - 1;
    const auto same = std::mismatch(open.begin(), open.end(), keys.begin(), groups_end).first;
    for (auto extra = open.end() - same; extra > 0; --extra) close();
    while (open.size() + 1 < keys.size()) {
      new_line();
      out << indent() << json(keys[open.size()]).dump() << ": {";
      open.push_back(keys[open.size()]);
      first = true;
    }
    new_line();
    if (comments == Comments::help) {
      const std::string values =
          field.choices.empty() ? range_text(field.range) : choices_text(field);
      out << indent() << "// " << field.help << (values.empty() ? "" : "; " + values) << "\n";
    }
    out << indent() << json(last_key(field.path)).dump() << ": " << one_line(to_json(field));
  }
  while (!open.empty()) close();
  out << "\n}\n";
  return out.str();
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  std::size_t smallest = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    // A right key in a wrong group is one mistake, whatever the groups' names.
    const std::size_t distance = std::min(edit_distance(name, candidate),
                                          edit_distance(last_key(name), last_key(candidate)) + 1);
    if (distance < smallest) {
      smallest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace mini::train
