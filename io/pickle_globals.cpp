// The functions and classes that occur in files of weights, and the value that each call gives.
#include <algorithm>
#include <array>
#include <regex>
#include <string_view>

#include "io/file.h"
#include "io/pickle.h"
#include "tensor/error.h"

namespace mini::io {
namespace {

enum class Meaning : std::uint8_t {
  unknown,
  dict,
  list,
  tensor,
  parameter,
  subclass,     // of Tensor: (function, class, its arguments, attributes)
  constructor,  // of an object, from its class
  storage,
  object,  // any other result: an opaque object
};

struct Known {
  std::string_view modules;  // the modules that contain it, separated by spaces
  std::string_view names;
  Meaning meaning;
};
// Python's modules and NumPy's have had several names.
constexpr std::array known_globals{
    Known{"collections", "OrderedDict Counter defaultdict", Meaning::dict},
    Known{"collections", "deque", Meaning::list},
    Known{"builtins __builtin__", "dict", Meaning::dict},
    Known{"builtins __builtin__", "set frozenset list tuple", Meaning::list},
    Known{"torch", "Size", Meaning::list},
    Known{"torch._utils", "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3", Meaning::tensor},
    Known{"torch._utils", "_rebuild_parameter _rebuild_parameter_with_state", Meaning::parameter},
    Known{"torch.nn.parameter", "Parameter Buffer", Meaning::parameter},
    Known{"torch._tensor", "_rebuild_from_type_v2", Meaning::subclass},
    Known{"copyreg copy_reg", "_reconstructor", Meaning::constructor},
    // Settings and scores beside the weights, and kinds of tensors that mini does not read.
    Known{"torch._utils",
          "_rebuild_sparse_tensor _rebuild_sparse_csr_tensor _rebuild_nested_tensor "
          "_rebuild_qtensor _rebuild_meta_tensor_no_storage _rebuild_device_tensor_from_numpy "
          "_rebuild_device_tensor_from_cpu_tensor _rebuild_wrapper_subclass",
          Meaning::object},
    Known{"torch",
          "device Tensor ComplexFloatStorage ComplexDoubleStorage QInt8Storage QUInt8Storage "
          "QInt32Storage bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 "
          "float64 bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
          "float8_e8m0fnu float4_e2m1fn_x2 complex32 complex64 complex128 qint8 quint8 qint32 "
          "per_tensor_affine per_tensor_symmetric per_channel_affine per_channel_symmetric "
          "per_channel_affine_float_qparams",
          Meaning::object},
    Known{"torch.serialization", "_get_layout", Meaning::object},
    Known{"torch.torch_version", "TorchVersion", Meaning::object},
    Known{"numpy.core.multiarray numpy._core.multiarray", "scalar _reconstruct", Meaning::object},
    Known{"numpy.core.numeric numpy._core.numeric", "_frombuffer", Meaning::object},
    Known{"numpy",
          "ndarray dtype bool bool_ str_ bytes_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
          "float16 float32 float64 longdouble complex64 complex128",
          Meaning::object},
    Known{"numpy.random._pickle", "__generator_ctor __bit_generator_ctor __randomstate_ctor",
          Meaning::object},
    Known{"numpy.random._mt19937", "MT19937", Meaning::object},
    Known{"numpy.random._pcg64", "PCG64", Meaning::object},
    Known{"builtins __builtin__",
          "bytearray bytes complex float int long bool str unicode object range slice xrange",
          Meaning::object},
    Known{"_codecs", "encode", Meaning::object},
    Known{"argparse", "Namespace", Meaning::object},
    Known{"types", "SimpleNamespace", Meaning::object},
    Known{"datetime", "date datetime time timedelta timezone", Meaning::object},
    Known{"decimal", "Decimal", Meaning::object},
    Known{"fractions", "Fraction", Meaning::object},
    Known{"uuid", "UUID", Meaning::object},
    Known{"pathlib pathlib._local",
          "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath", Meaning::object},
    Known{"typing", "Any", Meaning::object},
    Known{"omegaconf.dictconfig", "DictConfig", Meaning::object},
    Known{"omegaconf.listconfig", "ListConfig", Meaning::object},
    Known{"omegaconf.base", "ContainerMetadata Metadata", Meaning::object},
    Known{"omegaconf.nodes", "AnyNode", Meaning::object},
};

struct KnownStorage {
  std::string_view
      name;  // empty for types without a typed storage; their tensors lie in an UntypedStorage
  std::string_view dtype;
  ElementType type;
};
constexpr std::array known_storages{
    KnownStorage{"FloatStorage", "torch.float32", ElementType::float32},
    KnownStorage{"DoubleStorage", "torch.float64", ElementType::float64},
    KnownStorage{"HalfStorage", "torch.float16", ElementType::float16},
    KnownStorage{"BFloat16Storage", "torch.bfloat16", ElementType::bfloat16},
    KnownStorage{"ByteStorage", "torch.uint8", ElementType::uint8},
    KnownStorage{"LongStorage", "torch.int64", ElementType::int64},
    KnownStorage{"BoolStorage", "torch.bool", ElementType::boolean},
    KnownStorage{"CharStorage", "torch.int8", ElementType::int8},
    KnownStorage{"ShortStorage", "torch.int16", ElementType::int16},
    KnownStorage{"IntStorage", "torch.int32", ElementType::int32},
    KnownStorage{"", "torch.uint16", ElementType::uint16},
    KnownStorage{"", "torch.uint32", ElementType::uint32},
    KnownStorage{"UntypedStorage", "", ElementType::uint8},
};

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t space = std::min(words.find(' '), words.size());
    if (words.substr(0, space) == word) return true;
    words.remove_prefix(std::min(space + 1, words.size()));
  }
  return false;
}

// torch.FloatStorage, torch.cuda.FloatStorage; null for anything else.
const KnownStorage* find_storage(std::string_view name) {
  for (const std::string_view module : {"torch.cuda.", "torch.storage.", "torch."}) {
    if (!name.starts_with(module)) continue;
    const std::string_view class_name = name.substr(module.size());
    for (const KnownStorage& storage : known_storages)
      if (!class_name.empty() && storage.name == class_name) return &storage;
  }
  return nullptr;
}

Meaning meaning_of(std::string_view full_name) {
  if (find_storage(full_name) != nullptr) return Meaning::storage;
  const std::size_t dot = full_name.rfind('.');
  const std::string_view module = full_name.substr(0, dot), name = full_name.substr(dot + 1);
  for (const Known& known : known_globals)
    if (has_word(known.modules, module) && has_word(known.names, name)) return known.meaning;
  // Layers of a pickled module, whole optimisers, NumPy's classes of types.
  for (const std::string_view package : {"torch.nn.", "torch.optim."})
    if (full_name.starts_with(package)) return Meaning::object;
  if (module == "numpy.dtypes" && name.ends_with("DType")) return Meaning::object;
  return Meaning::unknown;
}

}  // namespace

PickleValue* Unpickler::make_global(std::string_view module, std::string_view name) {
  constexpr std::size_t longest = 1000;  // bytes; every known name is much shorter
  check(module.size() + name.size() < longest, "the pickle has an endless name");
  PickleValue* value = make(Kind::global);
  value->text = concat_text(module, '.', name);
  // Refuses a dot in the name: torch.nn and "functional.eval" must not pass for torch.nn.functional
  // and "eval".
  value->allowed =
      name.find('.') == std::string_view::npos && meaning_of(value->text) != Meaning::unknown;
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
      // No argument, a dictionary, or a list of pairs; a defaultdict's factory before it.
      PickleValue* dict = make(Kind::dict);
      if (arguments.empty()) return dict;
      if (name == "collections.defaultdict") {
        need(arguments.size() == 1 &&
             (arguments[0]->is(Kind::global) || arguments[0]->is(Kind::none)));
        return dict;
      }
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
      // A deque's second argument is the most elements it holds.
      need(arguments.size() <= 2 && (arguments.empty() || arguments[0]->is(Kind::list)));
      return make_list(arguments.empty() ? arguments : to_copy(arguments[0]->items));
    case Meaning::tensor:
      return rebuild_tensor(arguments);
    case Meaning::parameter:
      need(!arguments.empty() &&
           (arguments[0]->is(Kind::tensor) || arguments[0]->is(Kind::object)));
      return arguments[0];
    case Meaning::subclass: {
      need(arguments.size() == 4 && arguments[0]->is(Kind::global) && arguments[2]->is(Kind::list));
      const Meaning meaning = meaning_of(arguments[0]->text);
      need(meaning == Meaning::tensor || meaning == Meaning::parameter ||
           meaning == Meaning::object);
      return call(*arguments[0], arguments[2]->items);
    }
    case Meaning::constructor:
      need(!arguments.empty() && arguments[0]->is(Kind::global));
      return make_object(arguments[0]->text);
    case Meaning::object:
    case Meaning::unknown:
      check(function.allowed, "the pickle calls ", name,
            ", which is not on the list of what weight files may use; save a state_dict() instead");
      return make_object(name);
    case Meaning::storage:
      break;
  }
  fail("the pickle calls ", name, " directly");
}

// The arguments are (storage, offset, shape, strides, ...). The rest describes the tensor's part in
// training and, for an untyped storage, the type of the elements.
PickleValue* Unpickler::rebuild_tensor(const std::vector<PickleValue*>& arguments) {
  const auto whole_numbers = [](const PickleValue* value) {
    return value->is(Kind::list) &&
           std::all_of(value->items.begin(), value->items.end(),
                       [](const PickleValue* item) { return item->is(Kind::integer); });
  };
  check(arguments.size() >= 4 && arguments[1]->is(Kind::integer) && whole_numbers(arguments[2]) &&
            whole_numbers(arguments[3]),
        "the pickle describes a tensor in a way that mini does not know");
  PickleValue* storage = arguments[0];
  if (storage->is(Kind::object)) return storage;  // of complex numbers, for instance
  check(storage->is(Kind::storage), "the pickle describes a tensor in what is no storage");
  ElementType type = storage->type;
  if (arguments.size() >= 7) {
    const PickleValue* dtype = arguments[6];
    check(dtype->is(Kind::global), "the pickle describes a tensor of no known type");
    const auto known = std::find_if(
        known_storages.begin(), known_storages.end(),
        [&](const KnownStorage& one) { return !dtype->text.empty() && one.dtype == dtype->text; });
    if (known == known_storages.end()) return make_object(dtype->text);
    type = known->type;
  }
  PickleValue* tensor = make(Kind::tensor);
  tensor->type = type;
  tensor->base = storage;
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
  // Attributes of an OrderedDict (state_dict()'s _metadata), a list or a Parameter: not needed.
  check(target->is(Kind::dict) || target->is(Kind::list) || target->is(Kind::tensor),
        "the pickle gives attributes to what is no object");
}

// Persistent ids name what torch keeps outside the pickle: storages, and in the legacy format the
// source text of module classes. A class named here is known to be a module class of the user.
PickleValue* Unpickler::persistent(const PickleValue& id) {
  const auto& items = id.items;
  check(id.is(Kind::list) && items.size() >= 2 && items[0]->is(Kind::text) &&
            items[1]->is(Kind::global),
        "the pickle has a persistent id that is not PyTorch's");
  if (items[0]->text == "storage") return storage(items);
  check(items[0]->text == "module", "the pickle has a persistent id of kind \"", items[0]->text,
        "\", which is not PyTorch's");
  // The pickle calls this class later on. A name that the table knows keeps its meaning.
  if (meaning_of(items[1]->text) == Meaning::unknown) items[1]->allowed = true;
  return items[1];
}

// The same in protocol 0, which knows only texts: the id is the tuple as Python prints it. (PyTorch
// writes such files but cannot read them.)
PickleValue* Unpickler::persistent_text(std::string_view text) {
  static const std::regex pattern(
      R"(\('storage', <class '([A-Za-z0-9_.]+)'>, '([^']*)', '[^']*', ([0-9]{1,18})(, None)?\))");
  constexpr std::size_t longest = 300;
  std::match_results<std::string_view::const_iterator> parts;
  check(text.size() <= longest && std::regex_match(text.begin(), text.end(), parts, pattern),
        "the pickle has a persistent id that is not PyTorch's");
  PickleValue* kind = make_text(as_bytes("storage"));
  PickleValue* key = make_text(as_bytes(parts[2].str()));
  PickleValue* count = make_number(parts[3].str());
  const std::string name = parts[1];
  const std::size_t dot = std::min(name.rfind('.'), name.size() - 1);
  PickleValue* type = make_global(name.substr(0, dot), name.substr(dot + 1));
  return storage({kind, type, key, none_, count});
}

// ("storage", class, key, device, number of elements[, (key, offset, number) of a view])
PickleValue* Unpickler::storage(const std::vector<PickleValue*>& id) {
  const KnownStorage* known = find_storage(id[1]->text);
  if (known == nullptr)
    return make_object(id[1]->text);  // a tensor of such a storage is named in passed_over
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
