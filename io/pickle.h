// A pickle machine that builds inert data and runs nothing.
//
// A pickle is a program of one-byte opcodes for a stack machine: push a number, make a list of what
// lies above the last mark, remember this under number 7. Three opcodes make the format dangerous
// elsewhere: GLOBAL names any function, REDUCE calls it, BUILD sets attributes. Here GLOBAL pushes
// a name, REDUCE and NEWOBJ look it up in a fixed table of what stands in files of weights, and BUILD
// keeps the attributes as data. What is neither tensor nor container becomes an opaque object. Only
// the opcodes that Python's picklers emit for data are known, of protocols 0 to 5.
//
// Source: CPython's Lib/pickletools.py, which documents every opcode; torch/serialization.py for
// persistent ids. Read next: io/pickle.cpp, then io/pth.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/element_type.h"

namespace mini::io {

struct PickleValue {
  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    real,
    text,
    list,     // also tuples, sets, deques and torch.Size: the elements are in items
    dict,     // keys and values alternate in items
    global,   // the dotted name of a function or class, in text
    object,   // of the class named in text; base is what BUILD gave it, if anything
    storage,  // of PyTorch; text is its key, integer the number of elements. A view of another
              // storage has that as base and begins at its element `offset`
    tensor,   // of elements `type`; base is the storage, offset the first element; items are the
              // lists shape, strides
  };

  Kind kind = Kind::none;
  ElementType type = ElementType::float32;  // of a storage or tensor
  bool allowed = false;                     // global: on the list, or declared to be a module
  std::int64_t integer = 0;
  std::int64_t offset = 0;
  double real = 0;
  std::string text;
  std::vector<PickleValue*> items;
  PickleValue* base = nullptr;

  bool is(Kind wanted) const { return kind == wanted; }
};

// The value under a text key; null when `dict` is no dictionary or has none. Looks at every key.
const PickleValue* find_key(const PickleValue* dict, std::string_view key);

// The number that begins torch.save's legacy format, 0x1950a86a20f9469cfc6c: too long for an integer
// here, so it stays the text that it was, in bytes (protocol 2 on) or in digits.
inline constexpr std::string_view legacy_magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
                                  legacy_magic_digits = "119547037146038801333356";

class Unpickler {
 public:
  // `file_bytes`: of the file around the pickles. A large one may make more values than a small one,
  // in which they would be an attack on the memory.
  explicit Unpickler(std::uint64_t file_bytes);
  // Runs one pickle from the start of `bytes`, which then begins behind it. The values belong to
  // the Unpickler; they may form cycles. Throws Error for anything that is not inert data.
  PickleValue* load(std::span<const std::byte>& bytes);
  const std::deque<PickleValue>& values() const { return values_; }  // all that were made

 private:
  using Kind = PickleValue::Kind;

  std::span<const std::byte> take(std::uint64_t count);
  template <class T>
  T number();
  std::string_view line();

  PickleValue* make(Kind kind);
  PickleValue* make_object(std::string_view name);
  PickleValue* make_text(std::span<const std::byte> bytes);
  PickleValue* make_long(std::span<const std::byte> bytes);
  PickleValue* make_number(std::string_view digits);
  PickleValue* make_list(std::vector<PickleValue*> items);
  PickleValue* make_global(std::string_view module, std::string_view name);
  const std::vector<PickleValue*>& to_copy(const std::vector<PickleValue*>& items);
  void push(PickleValue* value);
  PickleValue* pop();
  PickleValue* top();
  std::vector<PickleValue*> pop_to_mark();
  void remember(std::uint32_t index);
  void recall(std::uint32_t index);

  bool step(std::uint8_t opcode);  // false: finished
  bool step_stack(std::uint8_t opcode);
  bool step_scalar(std::uint8_t opcode);
  bool step_line(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);
  void extend(std::vector<PickleValue*> items, Kind kind);
  PickleValue* call(const PickleValue& function, const std::vector<PickleValue*>& arguments);
  PickleValue* rebuild_tensor(const std::vector<PickleValue*>& arguments);
  void build();
  PickleValue* persistent(const PickleValue& id);
  PickleValue* persistent_text(std::string_view text);
  PickleValue* storage(const std::vector<PickleValue*>& id);

  std::deque<PickleValue> values_;  // a deque keeps their addresses
  std::span<const std::byte> rest_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, PickleValue*> memo_;
  PickleValue *none_ = nullptr, *true_ = nullptr, *false_ = nullptr;  // one of each is enough
  std::size_t max_values_;
  std::size_t copied_ = 0;  // elements
};

}  // namespace mini::io
