// The opcodes. What functions and classes mean is in io/pickle_globals.cpp.
#include "io/pickle.h"

#include <bit>
#include <cstring>

#include "io/file.h"
#include "tensor/error.h"

namespace mini::io {
namespace {

// Far above any file of weights: a network of a thousand tensors makes about 30,000 values.
constexpr std::size_t max_values = 2'000'000, max_stack = 2'000'000;

// Named as in pickletools.py.
enum Opcode : std::uint8_t {
  MARK = '(',
  STOP = '.',
  POP = '0',
  POP_MARK = '1',
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  BINFLOAT = 'G',
  NONE = 'N',
  BINPERSID = 'Q',
  REDUCE = 'R',
  BINSTRING = 'T',
  SHORT_BINSTRING = 'U',
  BINUNICODE = 'X',
  BINBYTES = 'B',
  SHORT_BINBYTES = 'C',
  APPEND = 'a',
  BUILD = 'b',
  GLOBAL = 'c',
  APPENDS = 'e',
  BINGET = 'h',
  LONG_BINGET = 'j',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  SETITEM = 's',
  TUPLE = 't',
  SETITEMS = 'u',
  EMPTY_TUPLE = ')',
  EMPTY_LIST = ']',
  EMPTY_DICT = '}',
  PROTO = 0x80,
  NEWOBJ = 0x81,
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  LONG1 = 0x8a,
  LONG4 = 0x8b,
  SHORT_BINUNICODE = 0x8c,
  BINUNICODE8 = 0x8d,
  EMPTY_SET = 0x8f,
  ADDITEMS = 0x90,
  STACK_GLOBAL = 0x93,
  MEMOIZE = 0x94,
  FRAME = 0x95,
};

}  // namespace

const PickleValue* find_key(const PickleValue* dict, std::string_view key) {
  if (dict == nullptr || !dict->is(PickleValue::Kind::dict)) return nullptr;
  for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2)
    if (dict->items[i]->is(PickleValue::Kind::text) && dict->items[i]->text == key)
      return dict->items[i + 1];
  return nullptr;
}

PickleValue* Unpickler::load(std::span<const std::byte>& bytes) {
  rest_ = bytes;
  stack_.clear();
  marks_.clear();
  memo_.clear();
  const std::size_t first = values_.size();
  while (step(number<std::uint8_t>())) {
  }
  check(stack_.size() == 1 && marks_.empty(), "the pickle ends with ", stack_.size(),
        " values on its stack, not one");
  // Not only the functions it calls: every name in the pickle must be known.
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

std::string Unpickler::line() {
  const std::size_t end = as_text(rest_).substr(0, 1000).find('\n');
  check(end != std::string_view::npos, "the pickle is truncated, or a name in it is endless");
  const std::string text(as_text(take(end)));
  take(1);
  return text;
}

PickleValue* Unpickler::make(Kind kind) {
  check(values_.size() < max_values, "the pickle makes more than ", max_values, " values");
  values_.emplace_back().kind = kind;
  return &values_.back();
}

PickleValue* Unpickler::make_text(std::span<const std::byte> bytes) {
  PickleValue* value = make(Kind::text);
  value->text = as_text(bytes);
  return value;
}

// Two's complement, little endian, as long as it needs to be. Longer than 64 bits it stays a text:
// only the magic number of the legacy format is.
PickleValue* Unpickler::make_long(std::span<const std::byte> bytes) {
  if (bytes.size() > sizeof(std::int64_t)) return make_text(bytes);
  PickleValue* value = make(Kind::integer);
  if (bytes.empty()) return value;
  value->integer = (bytes.back() & std::byte{0x80}) != std::byte{0} ? -1 : 0;
  std::memcpy(&value->integer, bytes.data(), bytes.size());
  return value;
}

PickleValue* Unpickler::make_list(std::vector<PickleValue*> items) {
  PickleValue* value = make(Kind::list);
  value->items = std::move(items);
  return value;
}

// A few bytes of a pickle can ask for the copy of a long list, again and again.
const std::vector<PickleValue*>& Unpickler::to_copy(const std::vector<PickleValue*>& items) {
  copied_ += items.size();
  check(copied_ <= max_values, "the pickle copies more than ", max_values, " values");
  return items;
}

void Unpickler::push(PickleValue* value) {
  check(stack_.size() < max_stack, "the pickle's stack grows beyond ", max_stack, " values");
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

void Unpickler::remember(std::uint32_t index) { memo_[index] = top(); }

void Unpickler::recall(std::uint32_t index) {
  const auto found = memo_.find(index);
  check(found != memo_.end(), "the pickle recalls value ", index, ", which it never stored");
  push(found->second);
}

void Unpickler::extend(std::vector<PickleValue*> items, Kind kind) {
  PickleValue* to = top();
  check(to->is(kind), "the pickle adds elements to what is no list or dictionary");
  check(kind != Kind::dict || items.size() % 2 == 0, "the pickle has a key without a value");
  to->items.insert(to->items.end(), items.begin(), items.end());
}

bool Unpickler::step(std::uint8_t opcode) {
  if (opcode == STOP) return false;
  check(step_stack(opcode) || step_scalar(opcode) || step_container(opcode),
        "the pickle has opcode ", static_cast<int>(opcode),
        ", which no file of weights needs (or it is corrupt)");
  return true;
}

// Opcodes that move values or name functions. False: not one of these.
bool Unpickler::step_stack(std::uint8_t opcode) {
  switch (opcode) {
    case PROTO:
      check(number<std::uint8_t>() <= 5, "the pickle is of an unknown protocol");
      return true;
    case FRAME:  // a hint for buffered readers
      take(8);
      return true;
    case MARK:
      check(marks_.size() < max_stack, "the pickle has too many marks");
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
    case GLOBAL: {
      const std::string module = line();
      push(make_global(module + "." + line()));
      return true;
    }
    case STACK_GLOBAL: {
      const PickleValue *name = pop(), *module = pop();
      check(name->is(Kind::text) && module->is(Kind::text),
            "the pickle names a function by no text");
      push(make_global(module->text + "." + name->text));
      return true;
    }
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
  const auto push_integer = [&](Kind kind, std::int64_t integer) {
    PickleValue* value = make(kind);
    value->integer = integer;
    push(value);
    return true;
  };
  switch (opcode) {
    case NONE:
      push(make(Kind::none));
      return true;
    case NEWTRUE:
      return push_integer(Kind::boolean, 1);
    case NEWFALSE:
      return push_integer(Kind::boolean, 0);
    case BININT:
      return push_integer(Kind::integer, number<std::int32_t>());
    case BININT1:
      return push_integer(Kind::integer, number<std::uint8_t>());
    case BININT2:
      return push_integer(Kind::integer, number<std::uint16_t>());
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
      push(make_text(take(number<std::uint64_t>())));
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
      push(make_list(pop_to_mark()));
      return true;
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
