#include "io/json.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/error.h"

namespace mini::io {
namespace {

using nlohmann::json;

// Builds the value from the parser's events. nlohmann's own builder, when it is watched by a
// callback, walks through all elements of a list or an object whenever one of them ends.
class Builder : public json::json_sax_t {
 public:
  explicit Builder(std::size_t max_depth) : max_depth_(max_depth) {}

  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(json::number_integer_t value) override { return add(value); }
  bool number_unsigned(json::number_unsigned_t value) override { return add(value); }
  bool number_float(json::number_float_t value, const json::string_t&) override {
    return add(value);
  }
  bool string(json::string_t& value) override { return add(std::move(value)); }
  bool binary(json::binary_t&) override { fail("binary values are no JSON"); }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(json::string_t& name) override {
    const auto [place, added] = open_.back()->emplace(name, nullptr);
    check(added, "key \"", name.substr(0, longest_quote), "\" appears twice in one object");
    member_ = &*place;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: ...", without the bracket.
    const std::string what = error.what();
    const std::size_t bracket = what.find("] ");
    fail(what.substr(bracket == std::string::npos ? 0 : bracket + 2, longest_message));
  }

 private:
  static constexpr std::size_t longest_quote = 100, longest_message = 200;  // bytes

  json& place(json value) {
    if (open_.empty()) return root_ = std::move(value);
    json& parent = *open_.back();
    if (parent.is_object()) return *member_ = std::move(value);
    parent.push_back(std::move(value));
    return parent.back();
  }

  bool add(json value) {
    place(std::move(value));
    return true;
  }

  bool open(json value) {
    check(open_.size() < max_depth_, "nested deeper than ", max_depth_, " levels");
    // The pointer stays valid: while a value is open, nothing is added to the one that contains it.
    open_.push_back(&place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::size_t max_depth_;
  json root_;
  std::vector<json*> open_;  // lists and objects that have not ended, outermost first
  json* member_ = nullptr;   // where the value of the last key goes
};

}  // namespace

json parse_json(std::string_view text, std::size_t max_depth, JsonComments comments) {
  const std::size_t zero = text.find('\0');
  check(zero == std::string_view::npos, "a zero byte at place ", zero, ", which no JSON has");
  Builder builder(max_depth);
  json::sax_parse(text, &builder, json::input_format_t::json, true,
                  comments == JsonComments::ignored);
  return builder.take();
}

}  // namespace mini::io
