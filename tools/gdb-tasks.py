"""gdb commands that show the tasks of a process or core file.

    (gdb) source tools/gdb-tasks.py
    (gdb) tasks              one line per task: address, name, what it waits for, where
    (gdb) task-bt ADDRESS    the whole stack of one task (ADDRESS or name)

Parked tasks are no threads: their registers lie on their own stacks, where switch_jump() saved them.  An unwinder makes
gdb believe that the innermost real frame was called from there.  Works on core files too.  Stacks are shown on x86-64 and
aarch64 with their own switch, names everywhere.
"""
import gdb
import gdb.unwinder

# Registers in the order in which switch_jump() leaves them, from the stack pointer up.
LAYOUTS = {
    "x86-64": (["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"], 56),
    "aarch64": ([f"x{n}" for n in range(19, 29)] + ["x29", "pc"], 160),
}
# Frames of these files are how a task came to wait, not where.
MACHINERY = ("switch.c", "task.c", "fd.c", "pool.c", "stack.c", "loop.c")


def architecture():
    name = gdb.selected_inferior().architecture().name()
    return "aarch64" if "aarch64" in name else "x86-64" if "x86-64" in name else None


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """While .task is set, the innermost frame's caller is that task's saved place."""

    def __init__(self):
        super().__init__("waybill-parked-task")
        self.task = None
        self.innermost = None

    def __call__(self, pending):
        if self.task is None or int(pending.read_register("sp")) != self.innermost:
            return None
        names, size = LAYOUTS[architecture()]
        saved = int(self.task["at"]["stack_pointer"])
        word = gdb.lookup_type("unsigned long")
        info = pending.create_unwind_info(FrameId(pending.read_register("sp"), pending.read_register("pc")))
        for i, name in enumerate(names):
            address = gdb.Value(saved + 8 * i).cast(word.pointer())
            info.add_saved_register(name, address.dereference())
        info.add_saved_register("sp" if architecture() == "aarch64" else "rsp", gdb.Value(saved + size).cast(word))
        return info


unwinder = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def frames_of(task):
    """The frames of a parked task, innermost first, each as (function, file, line)."""
    if architecture() is None or "stack_pointer" not in [f.name for f in task["at"].type.fields()]:
        return []
    unwinder.innermost = int(gdb.newest_frame().read_register("sp"))
    unwinder.task = task
    gdb.invalidate_cached_frames()
    found = []
    try:
        frame = gdb.newest_frame().older()
        while frame is not None and frame.is_valid():
            place = frame.find_sal()
            file = place.symtab.filename.split("/")[-1] if place.symtab else "?"
            found.append((frame.name() or "?", file, place.line))
            frame = frame.older()
    finally:
        unwinder.task = None
        gdb.invalidate_cached_frames()
    return found


def all_tasks():
    """Each struct task, in the order they were started."""
    loop = gdb.parse_and_eval("'loop.c'::the_loop")
    if int(loop) == 0:
        return
    head = loop["tasks"]
    task_type = gdb.lookup_type("struct task")
    offset = next(f.bitpos // 8 for f in task_type.fields() if f.name == "everyone")
    node = head["next"]
    while int(node) != int(head.address):
        yield gdb.Value(int(node) - offset).cast(task_type.pointer()).dereference()
        node = node["next"]


def current_task():
    return int(gdb.parse_and_eval("'loop.c'::the_loop")["current"])


def state_of(task):
    if int(task.address) == current_task():
        return "running"
    if not task["is_parked"]:
        return "ready"
    reason = task["waits_for"]
    text = reason.string() if int(reason) != 0 else "?"
    return f"{text} fd {int(task['waits_fd'])}" if text in ("read", "write") else text


def where(task):
    if int(task.address) == current_task():
        return ""
    for function, file, line in frames_of(task):
        if file not in MACHINERY and not function.startswith("switch_"):
            return f"{function} ({file}:{line})"
    return "at its start"


class Tasks(gdb.Command):
    """Lists the tasks of the loop: address, name, what each waits for, and where."""

    def __init__(self):
        super().__init__("tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for task in all_tasks():
            print(f"{int(task.address):#x} {task['name'].string()}: {state_of(task)} {where(task)}".rstrip())


class TaskBacktrace(gdb.Command):
    """Prints the stack of the parked task ADDRESS, or of every task of that name."""

    def __init__(self):
        super().__init__("task-bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for task in all_tasks():
            if argument not in (task["name"].string(), f"{int(task.address):#x}"):
                continue
            print(f"{int(task.address):#x} {task['name'].string()}: {state_of(task)}")
            for n, (function, file, line) in enumerate(frames_of(task)):
                print(f"  #{n} {function} ({file}:{line})")


Tasks()
TaskBacktrace()
