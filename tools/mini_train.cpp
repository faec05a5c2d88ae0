// mini_train CONFIG: trains a rescaling network. What happens in a run: train/trainer.h.
//
// Exit code: 0 when the last step is done, 1 on any error, 128 + signal when stopped by one (the
// state is saved).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fmt/core.h>
#include <iostream>
#include <langinfo.h>
#include <memory>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/parallel.h"
#include "tensor/version.h"
#include "tools/command_line.h"
#include "tools/mini_train/interrupt.h"
#include "tools/mini_train/memory.h"
#include "tools/mini_train/processes.h"
#include "train/trainer.h"

namespace mini {
namespace {

struct Arguments {
  std::string config, resume, init, init_key, device = "cpu";
  std::vector<std::string> assignments;
  bool resume_given = false, help_config = false, profile_memory = false;
};

void describe(CLI::App& app, Arguments& arguments) {
  app.name("mini_train");
  app.description(
      "Trains a network as CONFIG says. The results go to the folder `out` of CONFIG:\n"
      "checkpoints, log.jsonl, TensorBoard events, pictures, and the configuration in full.\n"
      "Ctrl-C, SIGTERM, SIGHUP or SIGUSR1 saves and ends; --resume goes on, bit for bit as if\n"
      "nothing had been.\n"
      "Started by mpirun, the processes divide data.batch evenly and train one network together.");
  app.footer(
      "Examples:\n"
      "  mini_train configs/sain.json\n"
      "  mini_train configs/sain.json --set train.lr=1e-4 --set codec.quality=30..90\n"
      "  mini_train configs/sain.json --resume\n"
      "  mpirun -np 4 mini_train configs/sain.json\n"
      "  mini_train configs/sain.json --set data.batch=4 --profile-memory");
  app.set_version_flag("--version", version_text("mini_train"));
  app.add_option("CONFIG", arguments.config, "configuration, JSON with comments");
  app.add_option("--set", arguments.assignments,
                 "KEY=VALUE: override a key, for instance train.lr=1e-4; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  const auto shorthand = [&](const std::string& flag, const std::string& key,
                             const std::string& help, const std::string& type) {
    app.add_option_function<std::string>(
           flag,
           [&arguments, flag, key](const std::string& value) {
             for (const std::string& other : arguments.assignments)
               check(!other.starts_with(key + "="), flag, " ", value, " and --set ", other,
                     " are about the same; leave one of them out");
             arguments.assignments.push_back(concat_text(key, '=', value));
           },
           help)
        ->type_name(type)
        ->take_last();
  };
  shorthand("--out", "out", "folder of the run (--set out=...)", "FOLDER");
  shorthand("--steps", "train.steps", "steps in all (--set train.steps=...)", "N");
  shorthand("--threads", "threads", "threads of the arithmetic (--set threads=...)", "N");
  app.add_option("--device", arguments.device,
                 "where to compute: cpu (the default), cuda, or cuda:N for one of several GPUs")
      ->type_name("DEVICE");
  CLI::Option* resume =
      app.add_option("--resume", arguments.resume,
                     "go on from a checkpoint, or the latest in a folder; alone: in `out`")
          ->type_name("[PATH]")
          ->expected(0, 1);
  app.add_option(
         "--init", arguments.init,
         "start from weights: .safetensors, .pth, .npz, a checkpoint, or the latest in a folder")
      ->type_name("PATH")
      ->excludes(resume);
  app.add_option("--weights-key", arguments.init_key,
                 "where in the file of --init the weights are, for instance params_ema (those that "
                 "fit)")
      ->type_name("KEY")
      ->needs("--init");
  app.add_flag("--profile-memory", arguments.profile_memory,
               "take two steps, print what filled the memory at the second one's peak, and end; "
               "no file is written");
  app.add_flag(
      "--help-config", arguments.help_config,
      "print every key of CONFIG with its meaning and default; of another network or recipe "
      "with --set model.network=... or recipe=...");
}

// How many columns the terminal has that standard output goes to; 0 where it goes elsewhere, or to a
// terminal that draws nothing.
int terminal_columns() {
  const char* const kind = std::getenv("TERM");
  if (isatty(STDOUT_FILENO) == 0 || kind == nullptr || std::string(kind) == "dumb") return 0;
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// What standard output is. Blocks are letters of UTF-8.
train::Screen screen() {
  std::setlocale(LC_CTYPE, "");
  return {.columns = terminal_columns(), .blocks = std::string(nl_langinfo(CODESET)) == "UTF-8"};
}

// "cuda" names no single GPU. Where several processes share a machine, each takes another GPU.
Device device_of(const std::string& name, const Processes* processes) {
  Device device = parse_device(name);
  if (name == "cuda" && processes != nullptr) device.index = processes->local_rank();
  return device;
}

// Trains in one of several processes, or in the only one, where `processes` is null.
int train(const Arguments& arguments, Processes* processes) {
  check(!arguments.config.empty(), "CONFIG is missing; see mini_train --help");
  const Device device = device_of(arguments.device, processes);
  allocator(device);  // throws where there is no such device, before anything is read
  const train::TrainConfig config = train::load_config(arguments.config, arguments.assignments);
  if (config.threads > 0) set_threads(static_cast<int>(config.threads));

  train::TrainerOptions options{
      .device = device, .init = arguments.init, .init_key = arguments.init_key, .out = &std::cout};
  if (arguments.resume_given) {
    options.resume = arguments.resume;
    if (arguments.resume.empty()) options.resume = config.out;
  }
  if (arguments.profile_memory) {
    check(processes == nullptr, "--profile-memory looks at one process; start it without mpirun");
    print_memory_profile(config, std::move(options));
    return 0;
  }
  // mpirun gives its processes a terminal of their own, wherever their output goes in the end.
  if (processes == nullptr) options.screen = screen();
  options.stop = [] { return InterruptGuard::signal() != 0; };
  options.collective = processes;
  train::Trainer trainer(config, std::move(options));
  const InterruptGuard guard;
  if (trainer.run() == train::Outcome::finished) return 0;
  int signal = InterruptGuard::signal();
  if (processes != nullptr)  // the signal may have reached another process only
    for (const double one : processes->all_gather(std::array{static_cast<double>(signal)}))
      signal = std::max(signal, static_cast<int>(one));
  return 128 + signal;
}

int train(const Arguments& arguments) {
  if (processes_started() <= 1) return train(arguments, nullptr);
  const std::unique_ptr<Processes> processes = join_processes();
  std::unique_ptr<Processes> on_gpu;
  try {
    const Device device = device_of(arguments.device, processes.get());
    if (device.is_cuda()) on_gpu = on_gpus(*processes, device);
    return train(arguments, on_gpu ? on_gpu.get() : processes.get());
  } catch (const std::exception& error) {
    // The other processes would wait for this one for ever, so it ends them, too.
    fmt::print(stderr, "mini_train: rank {}: {}\n", processes->rank(), printable(error.what()));
    processes->abort();
    return 1;
  }
}

int run(int argc, char** argv) {
  CLI::App app;
  Arguments arguments;
  describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    fail(error.what(), "; see mini_train --help");
  }
  if (arguments.help_config) {
    fmt::print("{}", train::config_help(arguments.assignments));
    return 0;
  }
  arguments.resume_given = app.count("--resume") > 0;
  return train(arguments);
}

}  // namespace
}  // namespace mini

int main(int argc, char** argv) {
  mini::command_line::keep_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads the output may leave; training goes on
  try {
    return mini::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "mini_train: {}\n", mini::printable(error.what()));
    return 1;
  }
}
