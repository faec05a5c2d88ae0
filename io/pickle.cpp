// Executes the opcodes. io/pickle_globals.cpp knows the functions and classes.
#include "io/pickle.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "io/file.h"
#include "io/opcodes.h"
#include "tensor/error.h"

namespace mini::io {
namespace {

// A tensor is about 30 values, of 100 bytes each here, and seldom less than a kilobyte in its file.
constexpr std::size_t always_allowed = 300'000, most_values = 4'000'000, bytes_a_value = 64;

std::uint32_t index_of(std::string_view digits) {
  std::uint32_t index = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, index);
  check(stop == end && error == std::errc(), "the pickle remembers a value by no number");
  return index;
}

}  // namespace

const PickleValue* find_key(const PickleValue* dict, std::string_view key) {
  if (dict == nullptr || !dict->is(PickleValue::Kind::dict)) return nullptr;
  for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2)
    if (dict->items[i]->is(PickleValue::Kind::text) && dict->items[i]->text == key)
      return dict->items[i + 1];
  return nullptr;
}

Unpickler::Unpickler(std::uint64_t file_bytes)
    : max_values_(
          std::min<std::uint64_t>(always_allowed + file_bytes / bytes_a_value, most_values)) {}

PickleValue* Unpickler::load(std::span<const std::byte>& bytes) {
  rest_ = bytes;
  stack_.clear();
  marks_.clear();
  memo_.clear();
  const std::size_t first = values_.size();
  none_ = make(Kind::none);
  false_ = make(Kind::boolean);
  true_ = make(Kind::boolean);
  true_->integer = 1;
  while (step(number<std::uint8_t>())) {
  }
  check(stack_.size() == 1 && marks_.empty(), "the pickle ends with ", stack_.size(),
        " values on its stack, not one");
  // Every name in the pickle must be known, not only the functions that it calls.
  for (std::size_t i = first; i < values_.size(); ++i)
    check(!values_[i].is(Kind::global) || values_[i].allowed, "the pickle refers to ",
          values_[i].text, ", which is not on the list of what weight files may use");
  bytes = rest_;
  return stack_.front();
}

std::span<const std::byte> Unpickler::take(std::uint64_t count) {
  check(count <= rest_.size(), "the pickle is truncated");
  const auto taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

template <class T>
T Unpickler::number() {
  T value;
  std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
  return value;
}

std::string_view Unpickler::line() {
  const std::size_t end = as_text(rest_).find('\n');
  check(end != std::string_view::npos, "the pickle is truncated");
  return as_text(take(end + 1)).substr(0, end);
}

PickleValue* Unpickler::make(Kind kind) {
  check(values_.size() < max_values_, "the pickle makes more than ", max_values_, " values");
  values_.emplace_back().kind = kind;
  return &values_.back();
}

PickleValue* Unpickler::make_object(std::string_view name) {
  PickleValue* object = make(Kind::object);
  object->text = name;
  return object;
}

PickleValue* Unpickler::make_text(std::span<const std::byte> bytes) {
  PickleValue* value = make(Kind::text);
  value->text = as_text(bytes);
  return value;
}

// A two's complement number in little-endian bytes. One longer than 64 bits stays a text.
PickleValue* Unpickler::make_long(std::span<const std::byte> bytes) {
  if (bytes.size() > sizeof(std::int64_t)) return make_text(bytes);
  PickleValue* value = make(Kind::integer);
  if (bytes.empty()) return value;
  value->integer = (bytes.back() & std::byte{0x80}) != std::byte{0} ? -1 : 0;
  std::memcpy(&value->integer, bytes.data(), bytes.size());
  return value;
}

// "12", or "12L" as Python 2 wrote long integers.
PickleValue* Unpickler::make_number(std::string_view digits) {
  if (digits.ends_with('L')) digits.remove_suffix(1);
  std::int64_t integer = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, integer);
  check(stop == end && error != std::errc::invalid_argument, "the pickle has a number \"", digits,
        "\", which is none");
  if (error == std::errc::result_out_of_range) return make_text(as_bytes(digits));
  PickleValue* value = make(Kind::integer);
  value->integer = integer;
  return value;
}

PickleValue* Unpickler::make_list(std::vector<PickleValue*> items) {
  PickleValue* value = make(Kind::list);
  value->items = std::move(items);
  return value;
}

// Bounds the copies: a few bytes of a pickle can ask for the copy of a long list again and again.
const std::vector<PickleValue*>& Unpickler::to_copy(const std::vector<PickleValue*>& items) {
  copied_ += items.size();
  check(copied_ <= max_values_, "the pickle copies more than ", max_values_, " values");
  return items;
}

void Unpickler::push(PickleValue* value) {
  check(stack_.size() < max_values_, "the pickle's stack grows beyond ", max_values_, " values");
  stack_.push_back(value);
}

PickleValue* Unpickler::top() {
  check(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "the pickle's stack runs empty");
  return stack_.back();
}

PickleValue* Unpickler::pop() {
  PickleValue* value = top();
  stack_.pop_back();
  return value;
}

std::vector<PickleValue*> Unpickler::pop_to_mark() {
  check(!marks_.empty(), "the pickle lacks a mark");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue*> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

void Unpickler::remember(std::uint32_t index) {
  check(memo_.size() < max_values_, "the pickle remembers more than ", max_values_, " values");
  memo_[index] = top();
}

void Unpickler::recall(std::uint32_t index) {
  const auto found = memo_.find(index);
  check(found != memo_.end(), "the pickle recalls value ", index, ", which it never stored");
  push(found->second);
}

void Unpickler::extend(std::vector<PickleValue*> items, Kind kind) {
  PickleValue* to = top();
  if (to->is(Kind::object)) return;  // an opaque object's content is ignored
  check(to->is(kind), "the pickle adds elements to what is no list or dictionary");
  check(kind != Kind::dict || items.size() % 2 == 0, "the pickle has a key without a value");
  to->items.insert(to->items.end(), items.begin(), items.end());
}

bool Unpickler::step(std::uint8_t opcode) {
  if (opcode == STOP) return false;
  check(step_stack(opcode) || step_scalar(opcode) || step_line(opcode) || step_container(opcode),
        "the pickle has opcode ", static_cast<int>(opcode),
        ", which no file of weights needs (or it is corrupt)");
  return true;
}

// Executes opcodes that move values or name functions. Returns false for any other opcode.
bool Unpickler::step_stack(std::uint8_t opcode) {
  switch (opcode) {
    case PROTO:
      check(number<std::uint8_t>() <= 5, "the pickle is of an unknown protocol");
      return true;
    case FRAME:  // a hint for buffered readers
      take(8);
      return true;
    case MARK:
      check(marks_.size() < max_values_, "the pickle has too many marks");
      marks_.push_back(stack_.size());
      return true;
    case POP:
      pop();
      return true;
    case POP_MARK:
      pop_to_mark();
      return true;
    case BINPUT:
      remember(number<std::uint8_t>());
      return true;
    case LONG_BINPUT:
      remember(number<std::uint32_t>());
      return true;
    case MEMOIZE:
      remember(static_cast<std::uint32_t>(memo_.size()));
      return true;
    case BINGET:
      recall(number<std::uint8_t>());
      return true;
    case LONG_BINGET:
      recall(number<std::uint32_t>());
      return true;
    case STACK_GLOBAL: {
      const PickleValue *name = pop(), *module = pop();
      check(name->is(Kind::text) && module->is(Kind::text),
            "the pickle names a function by no text");
      push(make_global(module->text, name->text));
      return true;
    }
    case NEWOBJ_EX:
      pop();  // the keyword arguments
      [[fallthrough]];
    case REDUCE:
    case NEWOBJ: {
      const PickleValue *arguments = pop(), *function = pop();
      check(function->is(Kind::global) && arguments->is(Kind::list),
            "the pickle calls what is no function");
      push(call(*function, arguments->items));
      return true;
    }
    case BUILD:
      build();
      return true;
    case BINPERSID:
      push(persistent(*pop()));
      return true;
    default:
      return false;
  }
}

bool Unpickler::step_scalar(std::uint8_t opcode) {
  const auto push_integer = [&](std::int64_t integer) {
    PickleValue* value = make(Kind::integer);
    value->integer = integer;
    push(value);
    return true;
  };
  switch (opcode) {
    case NONE:
      push(none_);
      return true;
    case NEWTRUE:
    case NEWFALSE:
      push(opcode == NEWTRUE ? true_ : false_);
      return true;
    case BININT:
      return push_integer(number<std::int32_t>());
    case BININT1:
      return push_integer(number<std::uint8_t>());
    case BININT2:
      return push_integer(number<std::uint16_t>());
    case LONG1:
      push(make_long(take(number<std::uint8_t>())));
      return true;
    case LONG4:
      push(make_long(take(number<std::uint32_t>())));
      return true;
    case BINFLOAT: {
      PickleValue* value = make(Kind::real);
      value->real = std::bit_cast<double>(__builtin_bswap64(number<std::uint64_t>()));
      push(value);
      return true;
    }
    case SHORT_BINSTRING:
    case SHORT_BINUNICODE:
    case SHORT_BINBYTES:
      push(make_text(take(number<std::uint8_t>())));
      return true;
    case BINSTRING:
    case BINUNICODE:
    case BINBYTES:
      push(make_text(take(number<std::uint32_t>())));
      return true;
    case BINUNICODE8:
    case BINBYTES8:
      push(make_text(take(number<std::uint64_t>())));
      return true;
    case BYTEARRAY8:
      take(number<std::uint64_t>());
      push(make_object("builtins.bytearray"));
      return true;
    default:
      return false;
  }
}

// Opcodes whose argument is a line of text, most of them of protocol 0.
bool Unpickler::step_line(std::uint8_t opcode) {
  switch (opcode) {
    case GLOBAL: {
      const std::string_view module = line(), name = line();
      push(make_global(module, name));
      return true;
    }
    case PERSID:
      push(persistent_text(line()));
      return true;
    case PUT:
      remember(index_of(line()));
      return true;
    case GET:
      recall(index_of(line()));
      return true;
    case INT:
    case LONG: {
      const std::string_view digits = line();
      const bool truth = opcode == INT && (digits == "00" || digits == "01");
      push(truth ? (digits == "01" ? true_ : false_) : make_number(digits));
      return true;
    }
    case FLOAT: {
      PickleValue* value = make(Kind::real);
      const std::string_view digits = line();
      const char* const end = digits.data() + digits.size();
      const auto [stop, error] = std::from_chars(digits.data(), end, value->real);
      check(stop == end && error == std::errc(), "the pickle has a number \"", digits,
            "\", which is none");
      push(value);
      return true;
    }
    // Escapes stay as they are, since names of tensors have none.
    case STRING: {
      const std::string_view text = line();
      check(text.size() >= 2 && text.front() == text.back() &&
                (text.front() == '\'' || text.front() == '"'),
            "the pickle has a text without quotes");
      push(make_text(as_bytes(text.substr(1, text.size() - 2))));
      return true;
    }
    case UNICODE:
      push(make_text(as_bytes(line())));
      return true;
    default:
      return false;
  }
}

bool Unpickler::step_container(std::uint8_t opcode) {
  switch (opcode) {
    case EMPTY_TUPLE:
    case EMPTY_LIST:
    case EMPTY_SET:
      push(make(Kind::list));
      return true;
    case EMPTY_DICT:
      push(make(Kind::dict));
      return true;
    case TUPLE:
    case LIST:
    case FROZENSET:
      push(make_list(pop_to_mark()));
      return true;
    case DICT: {
      std::vector<PickleValue*> items = pop_to_mark();
      push(make(Kind::dict));
      extend(std::move(items), Kind::dict);
      return true;
    }
    case TUPLE1:
    case TUPLE2:
    case TUPLE3: {
      std::vector<PickleValue*> items(static_cast<std::size_t>(opcode - TUPLE1 + 1));
      for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
      push(make_list(std::move(items)));
      return true;
    }
    case APPEND: {
      PickleValue* item = pop();
      extend({item}, Kind::list);
      return true;
    }
    case APPENDS:
    case ADDITEMS:
      extend(pop_to_mark(), Kind::list);
      return true;
    case SETITEM: {
      PickleValue *value = pop(), *key = pop();
      extend({key, value}, Kind::dict);
      return true;
    }
    case SETITEMS:
      extend(pop_to_mark(), Kind::dict);
      return true;
    default:
      return false;
  }
}

}  // namespace mini::io
