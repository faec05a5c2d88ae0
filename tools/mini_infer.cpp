// mini_infer: scales images with a trained network, compares it with bicubic interpolation, and
// describes files of weights. This file is the command line; the commands are in tools/mini_infer/.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

#include "models/registry.h"
#include "tensor/allocator.h"
#include "tensor/parallel.h"
#include "tensor/version.h"
#include "tools/command_line.h"
#include "tools/mini_infer/commands.h"
#include "tools/mini_infer/memory.h"

namespace mini::infer {
namespace {

constexpr const char* description =
    "Makes images small with an invertible network, and large again after JPEG or WebP.";
constexpr const char* examples = R"(examples:
  mini_infer downscale photo.png small.jpg --weights sain_x2.safetensors --quality 80
  mini_infer upscale small.jpg large.png --weights sain_x2.safetensors
  mini_infer roundtrip photos/ out/ --weights runs/sain/ --format jpeg,webp --quality 30,90
  mini_infer evaluate Set5/ --model bicubic --quality 30,50,70,80,90 --json bicubic.json
  mini_infer report photos/ --weights runs/sain/ --quality 30,60,90 --out report.html
  mini_infer info sain_x2.pth
mini_infer COMMAND --help lists what a command takes.)";

// As in a configuration of mini_train, where numbers are doubles.
constexpr std::int64_t largest_seed = (std::int64_t{1} << 53) - 1;

struct CommandLine {
  ModelOptions model;
  int threads = 0;
  std::vector<std::string> paths;
  std::string format = "png";  // of images that downscale and upscale put in a folder
  ScaleOptions scale;
  std::vector<std::string> formats = {"jpeg"};  // of roundtrip and evaluate
  std::vector<int> qualities;
  std::vector<std::string> weights;  // of evaluate
  EvaluateOptions evaluate;
  EvaluateFiles files;
  ReportFiles report;      // of report
  ReportFiles more_files;  // of evaluate and roundtrip
};

void add_paths(CLI::App& command, CommandLine& line, const char* name, int least,
               const std::string& help) {
  command.add_option(name, line.paths, help)->required()->expected(least, -1)->type_name("");
}

void add_weights_key(CLI::App& command, CommandLine& line) {
  command
      .add_option("--weights-key", line.model.weights_key,
                  "where in the file the weights are, for instance params_ema (the first that fit)")
      ->type_name("KEY");
}

void add_raw_weights(CLI::App& command, CommandLine& line) {
  command.add_flag("--raw-weights", line.model.raw_weights,
                   "of a checkpoint with an average of its weights (train.ema): the weights "
                   "themselves");
}

void add_model_options(CLI::App& command, CommandLine& line) {
  const std::vector<std::string> names = models::network_names();
  std::vector<std::string> names_and_bicubic = names;
  names_and_bicubic.emplace_back("bicubic");
  names_and_bicubic.emplace_back("list");
  command
      .add_option("-w,--weights", line.model.weights,
                  "safetensors, .pth, .npz, a checkpoint of mini_train, or a folder of them (the "
                  "latest is taken); without it, those that come with mini (mini_infer weights)")
      ->type_name("FILE");
  add_weights_key(command, line);
  add_raw_weights(command, line);
  command
      .add_option("-m,--model", line.model.model,
                  "what the weights must be of (" + fmt::format("{}", fmt::join(names, ", ")) +
                      "); bicubic: needs no weights; list: prints them and ends")
      ->check(CLI::IsMember(names_and_bicubic))
      ->each([](const std::string& name) {
        if (name == "list") throw CLI::CallForVersion(network_table(), 0);
      })
      ->type_name("NAME");
  command
      .add_option("-s,--scale", line.model.scale,
                  "of bicubic and of the weights that come with mini (2); with --weights, an error "
                  "unless it is theirs")
      ->transform(command_line::decimal())
      ->check(CLI::Range(1, 16))
      ->type_name("N");
  command
      .add_option(
          "--set", line.model.set,
          "KEY=VALUE: an option of the network that neither its weights nor their file tell, "
          "for instance range=255")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  command
      .add_option("--memory-limit", line.model.memory_limit,
                  "bytes, or with K, M or G (powers of 1000): the network runs in strips that keep "
                  "the process below it (half of what the machine or container has); with --device "
                  "cuda: the "
                  "GPU's memory (all that is free); changes no pixel")
      ->transform(command_line::size())
      ->type_name("SIZE");
  command
      .add_option("--max-pixels", line.model.max_pixels,
                  "larger images are not read, whatever the memory (256M)")
      ->transform(command_line::size())
      ->type_name("N");
  command
      .add_option_function<std::string>(
          "--device",
          [&line](const std::string& device) {
            line.model.device = parse_device(device);
            allocator(line.model.device);  // before anything is read: is there such a device?
          },
          "where the network computes: cpu (the default), cuda, or cuda:N")
      ->type_name("DEVICE");
  command.add_option("--threads", line.threads, "that compute (all the machine has)")
      ->transform(command_line::decimal())
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
}

void add_latent_options(CLI::App& command, CommandLine& line) {
  command
      .add_option_function<std::string>(
          "--z", [&line](const std::string& z) { line.model.sample_latent = z == "sample"; },
          "stands for the lost detail when upscaling: zero (the default), or sample, a random draw")
      ->check(CLI::IsMember({"zero", "sample"}))
      ->type_name("WHAT");
  command.add_option("--seed", line.model.seed, "of --z sample (0)")
      ->transform(command_line::decimal())
      ->check(CLI::Range(std::int64_t{0}, largest_seed))
      ->type_name("N");
}

void add_codec_options(CLI::App& command, CommandLine& line, const std::string& qualities) {
  command
      .add_option("-f,--format", line.formats,
                  "jpeg, webp, png: one, or several with commas (jpeg)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  command
      .add_option("-q,--quality", line.qualities,
                  "1 to 100: one, or several with commas (" + qualities + ")")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->transform(command_line::decimal())
      ->check(CLI::Range(1, 100))
      ->type_name("LIST");
}

void add_encode_options(CLI::App& command, ScaleOptions& options) {
  io::EncodeOptions& encode = options.encode;
  auto* quality = command.add_option("-q,--quality", encode.quality,
                                     "of JPEG and lossy WebP files, 1 to 100 (95)");
  quality->transform(command_line::decimal())->check(CLI::Range(1, 100))->type_name("N");
  auto* size = command.add_option("--target-size", options.target_bytes,
                                  "the highest quality whose file has at most so many bytes (also "
                                  "with K, M: powers of 1000)");
  size->transform(command_line::size())->excludes(quality)->type_name("SIZE");
  command
      .add_option("--target-bpp", options.target_bpp, "the same in bits for each pixel of the file")
      ->check(CLI::PositiveNumber)
      ->excludes(quality)
      ->excludes(size)
      ->type_name("BITS");
  command
      .add_option_function<std::string>(
          "--subsampling",
          [&encode](const std::string& text) {
            encode.subsampling = text == "4:4:4"   ? io::Subsampling::s444
                                 : text == "4:2:2" ? io::Subsampling::s422
                                                   : io::Subsampling::s420;
          },
          "of the colours of a JPEG: 4:4:4, 4:2:2 or 4:2:0 (4:2:0)")
      ->check(CLI::IsMember({"4:4:4", "4:2:2", "4:2:0"}))
      ->type_name("KIND");
  command.add_flag("--progressive", encode.progressive,
                   "progressive JPEG files, which are smaller");
  command.add_flag("--optimise,--optimize", encode.optimise,
                   "Huffman tables made for each JPEG file, which is then smaller");
  command.add_flag("--lossless", encode.lossless, "WebP files that lose nothing");
  command.add_option("--webp-method", encode.webp_method, "0 (fast) to 6 (small) (4)")
      ->transform(command_line::decimal())
      ->check(CLI::Range(0, 6))
      ->type_name("N");
  command.add_option("--png-level", encode.png_level, "compression, 0 (fast) to 9 (small) (6)")
      ->transform(command_line::decimal())
      ->check(CLI::Range(0, 9))
      ->type_name("N");
  command.add_flag("--strip", options.strip,
                   "leave out Exif data and colour profiles, which are otherwise handed on");
}

void add_report_options(CLI::App& command, ReportFiles& files, const char* page) {
  command
      .add_option(page, files.page,
                  "write a page (HTML) with the pictures under a slider, crops, errors and curves")
      ->type_name("FILE");
  command.add_option("--plot", files.plot, "write the curves alone (SVG)")->type_name("FILE");
}

void add_report_command(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand(
      "report",
      "a page that shows what the network does to photographs, beside bicubic, JPEG, WebP");
  add_paths(*command, line, "PATHS", 1, "folders or images");
  add_model_options(*command, line);
  add_latent_options(*command, line);
  add_codec_options(*command, line, "30,60,90");
  line.report.page = "report.html";
  add_report_options(*command, line.report, "-o,--out");
}

CLI::App* add_scale_command(CLI::App& app, CommandLine& line, const char* name, const char* help) {
  CLI::App* command = app.add_subcommand(name, help);
  add_paths(*command, line, "PATHS", 2,
            "IN... OUT: images, patterns (*.png) or folders of them, then a file (.png, .jpg, "
            ".webp) or a folder; - is standard input or output");
  add_model_options(*command, line);
  command
      ->add_option("-f,--format", line.format,
                   "png, jpeg or webp: of files put in a folder or on standard output (png)")
      ->type_name("NAME");
  Naming& naming = line.scale.naming;
  command
      ->add_option("--name", naming.name,
                   "of files put in a folder, from {name}, {ext} and {number} of the image "
                   "({name})")
      ->type_name("TEMPLATE");
  auto* skip = command->add_flag_callback(
      "--skip-existing", [&naming] { naming.existing = Existing::skipped; },
      "pass over images whose results are there");
  command
      ->add_flag_callback(
          "--no-clobber", [&naming] { naming.existing = Existing::refused; },
          "refuse to replace a file")
      ->excludes(skip);
  add_encode_options(*command, line.scale);
  return command;
}

void add_scale_commands(CLI::App& app, CommandLine& line) {
  add_scale_command(app, line, "downscale", "make images small")
      ->footer(
          "A side that is no multiple of the scale is continued by its last pixels: the result "
          "has ceil(side/scale). The file tells the original size and the weights in a note, so "
          "that upscale gives an image of exactly that size.");
  add_latent_options(*add_scale_command(app, line, "upscale", "make small images large again"),
                     line);
}

void add_round_trip_command(CLI::App& app, CommandLine& line) {
  CLI::App* command =
      app.add_subcommand("roundtrip", "make small, store, make large, and show what is left");
  add_paths(*command, line, "PATHS", 2,
            "IN... OUT: images or folders of them, then the output folder");
  add_model_options(*command, line);
  add_latent_options(*command, line);
  add_codec_options(*command, line, "75");
  add_report_options(*command, line.more_files, "--report");
  command->footer(
      "Written for each image, codec and quality:\n"
      "  NAME_CODEC_lr.*            the small file\n"
      "  NAME_CODEC_restored.png    what it becomes\n"
      "  NAME_CODEC_compare.png     original | bicubic | network\n"
      "  NAME_CODEC_difference.png  8 times the difference from the original: bicubic | network");
}

void add_evaluate_command(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand(
      "evaluate", "PSNR, SSIM and bits per pixel over folders of images, beside bicubic");
  add_paths(*command, line, "PATHS", 1, "folders or images");
  add_model_options(*command, line);
  add_latent_options(*command, line);
  command->remove_option(command->get_option("--weights"));
  command
      ->add_option("-w,--weights", line.weights,
                   "as for the other commands; several, each with its own --weights, share a table")
      ->allow_extra_args(false)
      ->type_name("FILE");
  add_codec_options(*command, line, "30,50,70,80,90");
  command
      ->add_option("--crop-multiple", line.evaluate.crop_multiple,
                   "crop to multiples of this too, not of the scale alone (1)")
      ->transform(command_line::decimal())
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  command->add_option("--json", line.files.json, "write the table and each image's values here")
      ->type_name("FILE");
  command->add_option("--markdown", line.files.markdown, "write the table here")->type_name("FILE");
  add_report_options(*command, line.more_files, "--report");
}

void add_weights_commands(CLI::App& app, CommandLine& line) {
  app.add_subcommand("weights", "list the weights that come with the program");
  CLI::App* command = app.add_subcommand(
      "export", "take the network out of a checkpoint of mini_train, to hand it on");
  command
      ->add_option("PATHS", line.paths, "FROM TO: a checkpoint, or a folder of them, and the file")
      ->required()
      ->expected(2)
      ->type_name("");
  add_raw_weights(*command, line);
}

std::vector<std::filesystem::path> as_paths(const std::vector<std::string>& texts) {
  std::vector<std::filesystem::path> paths;
  paths.reserve(texts.size());
  for (const std::string& text : texts) paths.push_back(io::expand_home(text));
  return paths;
}

std::vector<io::ImageFormat> parse_formats(const std::vector<std::string>& names) {
  std::vector<io::ImageFormat> formats;
  formats.reserve(names.size());
  for (const std::string& name : names)
    formats.push_back(io::parse_image_format(command_line::trimmed(name)));
  return formats;
}

// IN... OUT: the last path is the output.
template <class Options>
void take_paths(const CommandLine& line, Options& options) {
  options.inputs = as_paths(line.paths);
  options.output = options.inputs.back();
  options.inputs.pop_back();
}

int run_scale(const CommandLine& line, bool up) {
  ScaleOptions options = line.scale;
  options.up = up;
  take_paths(line, options);
  options.format = io::parse_image_format(line.format);
  return scale_images(line.model, options);
}

ModelOptions for_codec(ModelOptions model, const std::vector<io::ImageFormat>& formats) {
  if (formats.size() == 1) model.codec = formats.front();
  return model;
}

int run_round_trip(const CommandLine& line) {
  RoundTripOptions options;
  take_paths(line, options);
  options.formats = parse_formats(line.formats);
  if (!line.qualities.empty()) options.qualities = line.qualities;
  options.report = line.more_files;
  return round_trips(for_codec(line.model, options.formats), options);
}

int run_evaluate(CommandLine& line) {
  line.evaluate.formats = parse_formats(line.formats);
  if (!line.qualities.empty()) line.evaluate.qualities = line.qualities;
  line.files.places = as_paths(line.paths);
  line.files.report = line.more_files;
  return evaluate_models(each_model(for_codec(line.model, line.evaluate.formats), line.weights),
                         line.evaluate, line.files);
}

// `--quality 30 90` is a mistake for `--quality 30,90`.
void check_lists(const std::vector<std::string>& words) {
  command_line::check_one_word(words, "--quality", "-q", [](const std::string& word) {
    return !word.empty() && word.size() <= 3 &&
           word.find_first_not_of("0123456789") == std::string::npos;
  });
  command_line::check_one_word(words, "--format", "-f", [](const std::string& word) {
    return word == "jpeg" || word == "webp" || word == "png";
  });
}

int run(int argc, char** argv) {
  CLI::App app(description, "mini_infer");
  app.set_version_flag("--version", version_text("mini_infer"));
  app.require_subcommand(1);
  CommandLine line;
  add_scale_commands(app, line);
  add_round_trip_command(app, line);
  add_evaluate_command(app, line);
  add_report_command(app, line);
  CLI::App* info = app.add_subcommand("info", "describe a file of weights");
  info->add_option("FILE", line.paths, "safetensors, .pth, .npy, .npz or a checkpoint")
      ->required()
      ->expected(1)
      ->type_name("");
  add_weights_key(*info, line);
  add_weights_commands(app, line);
  app.footer(examples);  // after the commands, which would show it too

  const std::string first = argc > 1 ? argv[1] : "-";
  const auto called = [&](const CLI::App* command) { return command->get_name() == first; };
  check(first.starts_with('-') || !app.get_subcommands(called).empty(), "there is no command '",
        first, "'; mini_infer --help lists them");
  check_lists({argv, argv + argc});
  std::vector<std::string> words = command_line::words_of(argc, argv);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(words);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "mini_infer: {}\nmini_infer --help shows how it is used.\n",
               printable(error.what()));
    return 1;
  }
  if (line.threads > 0) set_threads(line.threads);
  for (std::filesystem::path* path :
       {&line.model.weights, &line.files.json, &line.files.markdown, &line.report.page,
        &line.report.plot, &line.more_files.page, &line.more_files.plot})
    *path = io::expand_home(*path);
  const std::string command = app.get_subcommands().front()->get_name();
  if (command == "downscale" || command == "upscale") return run_scale(line, command == "upscale");
  if (command == "roundtrip") return run_round_trip(line);
  if (command == "evaluate") return run_evaluate(line);
  if (command == "report")
    return report_images(for_codec(line.model, parse_formats(line.formats)), as_paths(line.paths),
                         parse_formats(line.formats),
                         line.qualities.empty() ? std::vector<int>{30, 60, 90} : line.qualities,
                         line.report);
  if (command == "weights") return list_weights();
  if (command == "export") {
    const auto paths = as_paths(line.paths);
    return export_weights(paths[0], paths[1], line.model.raw_weights);
  }
  return describe(line.paths.front(), line.model.weights_key);
}

}  // namespace
}  // namespace mini::infer

int main(int argc, char** argv) {
  try {
    mini::command_line::keep_standard_streams();
    mini::infer::keep_memory_tight();
    const int code = mini::infer::run(argc, argv);
    mini::check(std::fflush(stdout) == 0 && std::ferror(stdout) == 0,
                "the output could not be written");
    return code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mini_infer: %s\n", mini::printable(error.what()).c_str());
    return 1;
  }
}
