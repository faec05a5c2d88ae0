// Files of PyTorch that want something else than to be read: twins of published attacks on torch.load
// and on the scanners that look for them.

#include "io/pth.h"
#include "tests/io/archives.h"

namespace mini::io {
namespace {

using namespace std::string_literals;
using namespace test_files;

std::string error_for(const Bytes& file) {
  return test::error_of([&] { parse_pth(file); });
}
std::string error_for(const std::string& program, const std::vector<std::string>& storages = {}) {
  return error_for(torch_zip(program, storages));
}

const std::string two_floats = "\0\0\x80\x3f\0\0\0\xc0"s;

TEST(HostilePth, TheTwinsAreFilesOtherwise) {
  const TensorFile file = parse_pth(torch_zip("}U\1w" + tensor_program() + "s.", {two_floats}));
  EXPECT_EQ(file.tensors.at("w").to_vector(), (std::vector<double>{1, -2}));
}

// Functions that run code or reach what does, all once missed by picklescan or fickling.
TEST(HostilePth, NoFunctionIsCalledThatRunsCode) {
  for (const std::string name :
       {"os system",
        "posix system",
        "nt system",
        "subprocess Popen",
        "builtins eval",
        "builtins exec",
        "builtins getattr",
        "builtins __import__",
        "__builtin__ apply",
        "__builtin__ execfile",
        "importlib import_module",
        "pkgutil resolve_name",
        "runpy run_path",
        "operator attrgetter",
        "_operator methodcaller",
        "functools partial",
        "types CodeType",
        "types FunctionType",
        "marshal loads",
        "pickle loads",
        "_pickle loads",
        "dill loads",
        "cloudpickle.cloudpickle _make_function",
        "code InteractiveInterpreter",
        "pty spawn",
        "pip main",
        "ensurepip _run_pip",
        "venv create",
        "timeit timeit",
        "profile run",
        "cProfile run",
        "trace Trace.run",
        "bdb Bdb.run",
        "pdb run",
        "doctest debug_script",
        "pydoc pipepager",
        "ctypes CDLL",
        "webbrowser open",
        "shutil rmtree",
        "_io FileIO",
        "distutils.file_util write_file",
        "logging FileHandler",
        "socket create_connection",
        "urllib.request urlopen",
        "asyncio.unix_events _UnixSubprocessTransport._start",
        "idlelib.pyshell ModifiedInterpreter.runcode",
        "lib2to3.pgen2.pgen ParserGenerator.make_label",
        "numpy.f2py.crackfortran getlincoef",
        "numpy.testing._private.utils runstring",
        "numpy load",
        "numpy __builtins__",
        "torch load",
        "torch.hub load",
        "torch.jit load",
        "torch.storage _load_from_bytes",
        "torch.utils.collect_env run",
        "torch._utils _import_dotted_name",
        "torch.utils.bottleneck.__main__ run_cprofile",
        "torch._dynamo.guards GuardBuilder.get",
        "torch.jit.unsupported_tensor_ops execWrapper",
        "torch.utils._config_module load_config",
        "torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression"}) {
    SCOPED_TRACE(name);
    const std::size_t space = name.find(' ');
    const std::string module = name.substr(0, space), function = name.substr(space + 1);
    const std::string global = "c" + module + "\n" + function + "\n";
    const std::string named = module + "." + function;
    expect_contains(error_for(global + "U\4true\x85R."), named);     // called
    expect_contains(error_for(global + "U\4true\x85\x81."), named);  // as a class
    expect_contains(error_for("}U\1w" + global + "s."), named);      // left lying there
    expect_contains(error_for(global + "0}."), named);               // and thrown away
    expect_contains(error_for("ccollections\ndefaultdict\n" + global + "\x85R."), named);
    expect_contains(error_for("ccopyreg\n_reconstructor\n(" + global + "cbuiltins\nobject\nNtR."),
                    named);
  }
}

// Attributes reached through a dotted name, or put there by BUILD (modelscan #85, #89).
TEST(HostilePth, NoAttributeIsReachedOrSet) {
  expect_contains(error_for("cbuiltins\ndict.get\n0}."), "builtins.dict.get");
  expect_contains(error_for("ctorch.nn\nmodules.module.os.system\n0}."), "os.system");
  expect_contains(error_for("ccollections\nOrderedDict\n}U\1aU\2ossb."), "no object");
  // A name from the memo, which PUT fills by any key and MEMOIZE by the next (picklescan #14).
  expect_contains(error_for("U\5posixq\0"
                            "0U\6systemq\1"
                            "0U\x0ctorch._utils\x94"
                            "0h\0h\1\x93."s),
                  "posix.system");
  // The name is broken up, as text, or longer than any.
  expect_contains(error_for("c\nos.system\n."), ".os.system");
  expect_contains(error_for("NN\x93."), "by no text");
  expect_contains(error_for("c" + std::string(2000, 'x') + "\ny\n."), "endless name");
}

// CVE-2026-24747: torch's restricted unpickler stored items in what is no dictionary, and believed
// the number of elements in the pickle rather than the size of the storage.
TEST(HostilePth, ItemsGoIntoContainersOnly) {
  const std::string tensor = tensor_program();
  for (const std::string& target : {tensor, "K\1"s, "U\1t"s, "N"s, "ctorch\nSize\n"s, "]"s}) {
    expect_contains(error_for(target + "K\1K\2s.", {two_floats}), "no list or dictionary");
    expect_contains(error_for(target + "(K\1K\2u.", {two_floats}), "no list or dictionary");
  }
  for (const std::string& target : {tensor, "K\1"s, "}"s})
    expect_contains(error_for(target + "K\1a.", {two_floats}), "no list or dictionary");
}

TEST(HostilePth, AStorageHasTheSizeItSays) {
  for (const char count : {1, 3, 100})
    expect_contains(error_for(tensor_program("0", count) + ".", {two_floats}), "expected");
  expect_contains(error_for(tensor_program("0") + ".", {two_floats + "x"}), "has 9 bytes");
  expect_contains(error_for(tensor_program("1") + ".", {two_floats}),
                  "no entry \"archive/data/1\"");
  expect_contains(error_for(tensor_program("../data.pkl") + ".", {two_floats}), "no entry");
  // As another type: an untyped storage of 8 bytes holds two floats, not three.
  const auto untyped = [](const std::string& extent) {
    return "ctorch._utils\n_rebuild_tensor_v3\n((U\7storagectorch.storage\nUntypedStorage\n"
           "U\1"
           "0U\3cpuK\10tQK\0K"s +
           extent + "\x85K\1\x85\x89)ctorch\nfloat32\ntR.";
  };
  EXPECT_EQ(parse_pth(torch_zip(untyped("\2"), {two_floats})).tensors.at("tensor").to_vector(),
            (std::vector<double>{1, -2}));
  expect_contains(error_for(untyped("\3"), {two_floats}), "leaves its storage of 2");
}

// CVE-2025-32434: what the checked path refuses, an older format must not let in.
TEST(HostilePth, OlderFormatsAreNoWayAround) {
  const std::string evil = "cposix\nsystem\nU\4true\x85R.";
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  expect_contains(error_for(bytes_of(evil)), "posix.system");
  expect_contains(error_for(bytes_of(magic + evil)), "posix.system");
  expect_contains(error_for(bytes_of(magic + "M\xe9\3." + evil)), "posix.system");
  expect_contains(error_for(bytes_of("}.")), "not written by torch.save");
  // Behind the storages of an honest file, as a second archive or pickle.
  const Bytes honest =
      read_file(std::filesystem::path(MINI_SOURCE_DIR) / "tests/io/data/legacy.pth");
  Bytes longer = honest;
  for (const std::byte byte : torch_zip(evil)) longer.push_back(byte);
  expect_contains(error_for(longer), "bytes behind the last storage");
}

// Opcodes that run code, point outside the file, or that no pickler writes.
TEST(HostilePth, OpcodesThatAreNotDataAreRefused) {
  const std::string data =
      "(.01JKMGNQRTUXBCabcehjqrstu)]}PIFLSVdglp\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"
      "\x90\x91\x92\x93\x94\x95\x96";
  for (int opcode = 0; opcode < 256; ++opcode) {
    const std::string text =
        error_for(concat_text(static_cast<char>(opcode), std::string(300, '\xff')));
    const std::string refusal = concat_text("has opcode ", opcode, ", which no file of weights");
    const bool known = data.find(static_cast<char>(opcode)) != std::string::npos;
    EXPECT_EQ(text.find(refusal) == std::string::npos, known) << opcode << ": " << text;
  }
}

TEST(HostilePth, RecursionEnds) {
  // Builders of tensors that build each other, and a subclass of itself.
  const std::string from_type = "ctorch._tensor\n_rebuild_from_type_v2\n";
  expect_contains(error_for(from_type + "(" + from_type + "N)Nt" + "R."), "does not know");
  expect_contains(error_for("ctorch._utils\n_rebuild_parameter\n(NtR."), "does not know");
  // A dictionary that holds itself; modules that hold each other.
  expect_contains(error_for("}q\1U\1ah\1s."), "refers to itself");
  expect_contains(
      error_for("ctorch.nn\nModule\n)\x81q\1}(U\x0b_parameters}U\x08_modules}U\1mh\1sub."),
      "refers to itself");
}

// Each in 0.1 s and little memory; here with room for a slow machine.
TEST(HostilePth, SmallFilesTakeLittleTime) {
  const auto quickly = [](const std::string& program) {
    const Bytes file = torch_zip(program);
    const double start = test::cpu_seconds();
    std::string text;
    try {
      const TensorFile result = parse_pth(file);
      for (const auto& [name, value] : result.metadata) text += name + value;
      for (const std::string& what : result.passed_over) text += what;
    } catch (const Error& error) {
      text = error.what();
    }
    EXPECT_LT(test::cpu_seconds() - start, 2 * test::time_factor);
    EXPECT_LT(text.size(), 50 * file.size() + (2 << 20));
    return text;
  };
  // Names made of shared parts: 2^20 of them.
  std::string names = "}U\x40" + std::string(64, 'a') + "K\1s";
  for (int i = 0; i < 14; ++i)
    names +=
        "q\1"
        "0}(U\x30" +
        std::string(48, 'k') + "h\1U\x30" + std::string(48, 'l') + "h\1u";
  expect_contains(quickly(names + "."), "refer to each other too often");
  // 30,000 modules that share one dictionary of 30,000 attributes, and buffers that are all transient.
  std::string modules = "}q\2(";
  for (int i = 0; i < 10'000; ++i)
    modules += "M"s + static_cast<char>(i) + static_cast<char>(i >> 8) + "N";
  modules += "u0](";
  for (int i = 0; i < 10'000; ++i) modules += "ctorch.nn\nModule\n)\x81h\2b";
  expect_contains(quickly(modules + "e."), "refer to each other too often");
  std::string buffers = "ctorch.nn\nModule\n)\x81}(U\x0b_parameters}U\x08_buffers}(",
              transient = "](";
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = "U\5" + std::to_string(10'000 + i);
    buffers += name + "K\1";
    transient += name;
  }
  EXPECT_EQ(quickly(buffers + "uU\x1b_non_persistent_buffers_set" + transient + "eub."), "");
  // A list of lists, each the one before twice over; texts copied again and again.
  std::string lists = "]";
  for (int i = 0; i < 60; ++i) lists += "q\1h\1\x86";
  expect_contains(quickly(lists + "."), "refer to each other too often");
  quickly(std::string(200'000, ']') + std::string(199'999, 'a') + ".");
  quickly(std::string(200'000, '(') + ".");
}

}  // namespace
}  // namespace mini::io
