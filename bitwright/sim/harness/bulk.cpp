// Runs one design on packed beats: the part of a bulk simulator that is the same for every design and simulator.
//
// The generated "model.h" defines `Model`, one clocked design:
//   INPUT_BYTES, OUTPUTS, OUTPUT_BYTES[], WEIGHTS, WEIGHT_BYTES[], TAPS, TAP_BYTES[]   sizes of one beat
//   Model(argc, argv)         argv carries the plusargs
//   reset(active), input(beat), input_valid(v), output_ready(o, r)     drive pins; seen by the next step()
//   weights(w, beat), weights_valid(w, v)                              the same for the streams of weights
//   input_ready(), weights_ready(w), output_valid(o), output(o, beat)  read pins as the last step() left them
//   tap_valid(t), tap_ready(t), tap(t, beat)                           inner streams, read only
//   step()                    one clock cycle: the rising edge, and all that follows from it
// No ready or valid of a design depends on its pins within a cycle, so one look a cycle at them is enough.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>

#include "model.h"

namespace {

constexpr int RESET_CYCLES = 4;
constexpr uint64_t SLICE = 1 << 14;

enum Status : uint64_t { RUNNING, DONE, OUT_OF_CYCLES, QUIET };

// The head of the control file, in this order in bulk.py too.
struct Control {
    uint64_t input_beats, max_cycles, quiet_cycles;
    uint64_t status, cycles, input_done, outputs_done;
};

// An inner stream in the last cycle: its signals, and how many beats have been recorded.
struct TapState {
    uint64_t valid, ready, done;
};

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(3);
}

uint64_t size_of(const std::string& path) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) fail("cannot read " + path);
    return static_cast<uint64_t>(info.st_size);
}

template <typename T>
T* map(const std::string& path) {
    const uint64_t bytes = size_of(path);
    if (bytes == 0) return nullptr;
    const int file = open(path.c_str(), O_RDWR);
    if (file < 0) fail("cannot open " + path);
    void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (address == MAP_FAILED) fail("cannot map " + path);
    close(file);
    return static_cast<T*>(address);
}

// A stream that is recorded: its beats, and the cycle in which each was accepted.
struct Record {
    uint8_t* beats;
    uint64_t* cycles;
    uint64_t expected;
    uint64_t done = 0;

    explicit Record(const std::string& stem)
        : beats(map<uint8_t>(stem + ".beats")),
          cycles(map<uint64_t>(stem + ".cycles")),
          expected(size_of(stem + ".cycles") / sizeof(uint64_t)) {}
};

struct Sink : Record {
    const uint8_t* ready;
    uint64_t period;
    uint64_t phase = 0;

    explicit Sink(const std::string& stem)
        : Record(stem), ready(map<uint8_t>(stem + ".ready")), period(size_of(stem + ".ready")) {}

    bool next_ready() {
        if (period == 0) return true;
        const bool value = ready[phase];
        if (++phase == period) phase = 0;
        return value;
    }
};

// A stream of weights: its beats over and over, one always on offer.
struct Feed {
    const uint8_t* beats;
    uint64_t period;
    uint64_t place = 0;
    bool taken = true;

    Feed(const std::string& stem, int bytes) : beats(map<uint8_t>(stem)), period(size_of(stem) / bytes) {}

    template <typename Design, typename Index>
    void offer(Design& model, Index index) {
        if (taken) model.weights(index, beats + place * Design::WEIGHT_BYTES[index]);
        taken = model.weights_ready(index);
        if (taken && ++place == period) place = 0;
    }
};

// Design is Model; as a parameter, so that methods for weights may be missing where there are none.
template <typename Design, std::size_t... I, std::size_t... W>
void run(const std::string& folder, Control& control, Design& model, std::index_sequence<I...>,
         std::index_sequence<W...>) {
    const uint8_t* beat = map<uint8_t>(folder + "input.beats");
    const uint32_t* gaps = map<uint32_t>(folder + "input.gaps");
    uint64_t* input_cycles = map<uint64_t>(folder + "input.cycles");
    Sink sinks[] = {Sink(folder + "output" + std::to_string(I))...};
    std::tuple feeds{Feed(folder + "weights" + std::to_string(W) + ".beats", Model::WEIGHT_BYTES[W])...};
    Record* taps[Model::TAPS + 1] = {};
    for (int t = 0; t < Model::TAPS; ++t) taps[t] = new Record(folder + "tap" + std::to_string(t));
    TapState* tap_states = Model::TAPS ? map<TapState>(folder + "taps.state") : nullptr;

    const uint64_t input_beats = control.input_beats;
    uint64_t missing = input_beats + (sinks[I].expected + ...);
    for (int i = 0; i < RESET_CYCLES; ++i) {
        model.reset(true);
        model.input_valid(false);
        (model.output_ready(std::integral_constant<int, I>(), false), ...);
        (model.weights_valid(std::integral_constant<int, W>(), false), ...);
        model.step();
    }
    model.reset(false);
    (model.weights_valid(std::integral_constant<int, W>(), true), ...);

    uint64_t sent = 0, cycle = 0, last_move = 0, wait = gaps && input_beats ? gaps[0] : 0, slice_end = SLICE;
    bool offered = false;
    control.status = RUNNING;
    while (missing) {
        if (!offered && sent < input_beats) {
            if (wait == 0) {
                model.input(beat);
                beat += Model::INPUT_BYTES;
                offered = true;
            } else {
                --wait;
            }
        }
        model.input_valid(offered);
        if (offered && model.input_ready()) {
            offered = false;
            input_cycles[sent++] = cycle;
            --missing;
            if (gaps && sent < input_beats) wait = gaps[sent];
            last_move = cycle;
        }
        (std::get<W>(feeds).offer(model, std::integral_constant<int, W>()), ...);
        const auto receive = [&](Sink& sink, auto index) {
            const bool ready = sink.next_ready();
            model.output_ready(index, ready);
            if (ready && model.output_valid(index) && sink.done < sink.expected) {
                model.output(index, sink.beats + sink.done * Model::OUTPUT_BYTES[index]);
                sink.cycles[sink.done++] = cycle;
                --missing;
                last_move = cycle;
            }
        };
        (receive(sinks[I], std::integral_constant<int, I>()), ...);
        if constexpr (Model::TAPS > 0) {
            model.settle();
            for (int t = 0; t < Model::TAPS; ++t) {
                const bool valid = model.tap_valid(t), ready = model.tap_ready(t);
                Record& tap = *taps[t];
                if (valid && ready && tap.done < tap.expected) {
                    model.tap(t, tap.beats + tap.done * Model::TAP_BYTES[t]);
                    tap.cycles[tap.done++] = cycle;
                }
                tap_states[t] = {valid, ready, tap.done};
            }
        }
        model.step();
        if (++cycle == slice_end) {
            slice_end += SLICE;
            control.cycles = cycle;
            control.input_done = sent;
            control.outputs_done = (sinks[I].done + ...);
            if (cycle - last_move > control.quiet_cycles) break;
        }
        if (cycle >= control.max_cycles) break;
    }
    control.cycles = cycle;
    control.input_done = sent;
    control.outputs_done = (sinks[I].done + ...);
    control.status = !missing ? DONE : cycle >= control.max_cycles ? OUT_OF_CYCLES : QUIET;
}

}  // namespace

int main(int argc, char** argv) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (argc < 2) fail("usage: simulator FOLDER/ [plusargs]");
    const std::string folder = argv[1];
    Control* control = map<Control>(folder + "control");
    Model model(argc, argv);
    run(folder, *control, model, std::make_index_sequence<Model::OUTPUTS>(),
        std::make_index_sequence<Model::WEIGHTS>());
    model.finish();
    return 0;
}
