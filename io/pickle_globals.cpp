// The functions and classes that files of weights use, and what stands for their results.
#include <algorithm>
#include <array>
#include <string_view>

#include "io/pickle.h"
#include "tensor/error.h"

namespace mini::io {
namespace {

enum class Meaning : std::uint8_t { unknown, dict, list, tensor, parameter, object, storage };

struct Known {
  std::string_view name;
  Meaning meaning;
};
constexpr std::array known_globals{
    Known{"collections.OrderedDict", Meaning::dict},
    Known{"collections.Counter", Meaning::dict},
    Known{"torch.Size", Meaning::list},
    Known{"builtins.set", Meaning::list},
    Known{"__builtin__.set", Meaning::list},
    Known{"torch._utils._rebuild_tensor", Meaning::tensor},
    Known{"torch._utils._rebuild_tensor_v2", Meaning::tensor},
    Known{"torch._utils._rebuild_parameter", Meaning::parameter},
    Known{"torch.nn.parameter.Parameter", Meaning::parameter},
    // Settings and scores beside the weights: kept as objects that nobody looks into.
    Known{"argparse.Namespace", Meaning::object},
    Known{"torch.device", Meaning::object},
    Known{"numpy.core.multiarray.scalar", Meaning::object},
    Known{"numpy.dtype", Meaning::object},
    Known{"_codecs.encode", Meaning::object},
};

struct KnownStorage {
  std::string_view name;
  ElementType type;
};
constexpr std::array known_storages{
    KnownStorage{"FloatStorage", ElementType::float32},
    KnownStorage{"DoubleStorage", ElementType::float64},
    KnownStorage{"HalfStorage", ElementType::float16},
    KnownStorage{"BFloat16Storage", ElementType::bfloat16},
    KnownStorage{"ByteStorage", ElementType::uint8},
    KnownStorage{"LongStorage", ElementType::int64},
    KnownStorage{"BoolStorage", ElementType::boolean},
    KnownStorage{"CharStorage", ElementType::int8},
    KnownStorage{"ShortStorage", ElementType::int16},
    KnownStorage{"IntStorage", ElementType::int32},
};

// torch.FloatStorage, torch.cuda.FloatStorage; null for anything else.
const KnownStorage* find_storage(std::string_view name) {
  for (const std::string_view module : {"torch.cuda.", "torch."}) {
    if (!name.starts_with(module)) continue;
    const std::string_view class_name = name.substr(module.size());
    for (const KnownStorage& storage : known_storages)
      if (storage.name == class_name) return &storage;
  }
  return nullptr;
}

Meaning meaning_of(std::string_view name) {
  for (const Known& known : known_globals)
    if (known.name == name) return known.meaning;
  if (find_storage(name) != nullptr) return Meaning::storage;
  if (name.starts_with("torch.nn.")) return Meaning::object;  // layers of a pickled module
  return Meaning::unknown;
}

}  // namespace

PickleValue* Unpickler::make_global(std::string name) {
  PickleValue* value = make(Kind::global);
  value->allowed = meaning_of(name) != Meaning::unknown;
  value->text = std::move(name);
  return value;
}

PickleValue* Unpickler::call(const PickleValue& function,
                             const std::vector<PickleValue*>& arguments) {
  const std::string& name = function.text;
  const auto need = [&](bool ok) {
    check(ok, "the pickle calls ", name, " with arguments that mini does not know");
  };
  switch (meaning_of(name)) {
    case Meaning::dict: {
      // No argument, a dictionary, or a list of pairs.
      PickleValue* dict = make(Kind::dict);
      if (arguments.empty()) return dict;
      need(arguments.size() == 1 && (arguments[0]->is(Kind::list) || arguments[0]->is(Kind::dict)));
      if (arguments[0]->is(Kind::dict)) {
        dict->items = to_copy(arguments[0]->items);
        return dict;
      }
      for (const PickleValue* pair : to_copy(arguments[0]->items)) {
        need(pair->is(Kind::list) && pair->items.size() == 2);
        dict->items.insert(dict->items.end(), pair->items.begin(), pair->items.end());
      }
      return dict;
    }
    case Meaning::list:
      need(arguments.size() <= 1 && (arguments.empty() || arguments[0]->is(Kind::list)));
      return make_list(arguments.empty() ? arguments : to_copy(arguments[0]->items));
    case Meaning::tensor:
      return rebuild_tensor(arguments);
    case Meaning::parameter:
      need(!arguments.empty() && arguments[0]->is(Kind::tensor));
      return arguments[0];
    case Meaning::object:
    case Meaning::unknown: {
      check(function.allowed, "the pickle calls ", name,
            ", which is not on the list of what weight files may use; save a state_dict() instead");
      PickleValue* object = make(Kind::object);
      object->text = name;
      return object;
    }
    case Meaning::storage:
      break;
  }
  fail("the pickle calls ", name, " directly");
}

// (storage, offset, shape, strides, ...): what follows says how it takes part in training.
PickleValue* Unpickler::rebuild_tensor(const std::vector<PickleValue*>& arguments) {
  const auto whole_numbers = [](const PickleValue* value) {
    return value->is(Kind::list) &&
           std::all_of(value->items.begin(), value->items.end(),
                       [](const PickleValue* item) { return item->is(Kind::integer); });
  };
  check(arguments.size() >= 4 && arguments[0]->is(Kind::storage) &&
            arguments[1]->is(Kind::integer) && whole_numbers(arguments[2]) &&
            whole_numbers(arguments[3]),
        "the pickle describes a tensor in a way that mini does not know");
  PickleValue* tensor = make(Kind::tensor);
  tensor->base = arguments[0];
  tensor->offset = arguments[1]->integer;
  tensor->items = {arguments[2], arguments[3]};
  return tensor;
}

void Unpickler::build() {
  PickleValue* state = pop();
  PickleValue* target = top();
  if (target->is(Kind::object)) {
    target->base = state;
    return;
  }
  // Attributes of an OrderedDict (state_dict()'s _metadata) or of a Parameter: not needed.
  check(target->is(Kind::dict) || target->is(Kind::tensor),
        "the pickle gives attributes to what is no object");
}

// What torch keeps outside the pickle: storages, and in the legacy format the source text of module
// classes. That a class stands here is how a module class of the user is known to be one.
PickleValue* Unpickler::persistent(const PickleValue& id) {
  const auto& items = id.items;
  check(id.is(Kind::list) && items.size() >= 2 && items[0]->is(Kind::text) &&
            items[1]->is(Kind::global),
        "the pickle has a persistent id that is not PyTorch's");
  if (items[0]->text == "storage") return storage(items);
  check(items[0]->text == "module", "the pickle has a persistent id of kind \"", items[0]->text,
        "\", which is not PyTorch's");
  // It is called below, and a name that means something else must go on meaning that.
  if (meaning_of(items[1]->text) == Meaning::unknown) items[1]->allowed = true;
  return items[1];
}

// ("storage", class, key, device, number of elements[, (key, offset, number) of a view])
PickleValue* Unpickler::storage(const std::vector<PickleValue*>& id) {
  const KnownStorage* known = find_storage(id[1]->text);
  check(known != nullptr, "the pickle has a storage of class ", id[1]->text,
        ", which mini does not read");
  check(id.size() >= 5 && id[2]->is(Kind::text) && id[4]->is(Kind::integer) && id[4]->integer >= 0,
        "the pickle describes a storage in a way that mini does not know");
  PickleValue* root = make(Kind::storage);
  root->type = known->type;
  root->text = id[2]->text;
  root->integer = id[4]->integer;
  if (id.size() < 6 || id[5]->is(Kind::none)) return root;
  const auto& view = id[5]->items;
  check(id[5]->is(Kind::list) && view.size() == 3 && view[1]->is(Kind::integer) &&
            view[2]->is(Kind::integer) && view[1]->integer >= 0 && view[2]->integer >= 0 &&
            view[1]->integer <= root->integer &&
            view[2]->integer <= root->integer - view[1]->integer,
        "the pickle describes a view that leaves its storage");
  PickleValue* part = make(Kind::storage);
  part->type = root->type;
  part->base = root;
  part->offset = view[1]->integer;
  part->integer = view[2]->integer;
  return part;
}

}  // namespace mini::io
