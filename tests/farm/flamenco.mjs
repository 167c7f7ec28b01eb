// What Flamenco Manager gives to a job compiler script, and what it holds it to: `node flamenco.mjs SCRIPT < settings`.
// After internal/manager/job_compilers and the worker's command list: wrong types end with an error, as in Go.

import { readFileSync } from "node:fs";
import path from "node:path";
import vm from "node:vm";

const TYPES = { string: "string", int32: "number", float: "number", bool: "boolean" };
const SETTING = {
    key: "string", type: "string", subtype: "string", choices: "object", propargs: "object", description: "string",
    default: "any", eval: "string", evalInfo: "object", visible: "string", required: "boolean", editable: "boolean",
};
const SUBTYPES = ["file_path", "dir_path", "hashed_file_path"];
const VISIBLE = ["visible", "hidden", "submission", "web"];
const COMMANDS = {
    "exec": { exe: "string", args: "strings" },
    "echo": { message: "string" },
    "blender-render": {
        exe: "string", exeArgs: "string", argsBefore: "strings", blendfile: "string", args: "strings",
    },
};

function must(holds, sentence) {
    if (!holds) throw new Error(sentence);
}

class Task {
    constructor(name, type) {
        must(typeof name === "string" && name.trim(), "author.Task(name, type): name is required");
        must(typeof type === "string" && type.trim(), "author.Task(name, type): type is required");
        Object.assign(this, { name: name.trim(), type: type.trim(), commands: [], dependencies: [] });
    }
    addCommand(command) {
        must(command instanceof Command, "addCommand takes an author.Command");
        this.commands.push(command);
    }
    addDependency(task) {
        must(task instanceof Task, "addDependency takes an author.Task");
        this.dependencies.push(task);
    }
}

class Command {
    constructor(name, parameters, steps = 0) {
        const known = COMMANDS[name];
        must(known, `the worker has no command ${name}`);
        for (const [key, value] of Object.entries(parameters)) {
            const strings = Array.isArray(value) && value.every(one => typeof one === "string");
            must(known[key], `${name} takes no ${key}`);
            must(known[key] === "strings" ? strings : typeof value === known[key], `${key} is no ${known[key]}`);
        }
        must(parameters.exe !== "", "missing 'exe' parameter");
        Object.assign(this, { name, parameters, steps });
    }
}

function explode(text) {
    const frames = new Set();
    for (const part of text.replaceAll("..", "-").split(",")) {
        const ends = part.split("-").map(end => end.trim());
        must(ends.length <= 2 && ends.every(end => /^\d+$/.test(end)), `invalid range "${text}": ${part}`);
        for (let frame = Number(ends[0]); frame <= Number(ends.at(-1)); frame++) frames.add(frame);
    }
    return [...frames].sort((a, b) => a - b);
}

function merge(frames) {
    const runs = [];
    for (const frame of frames) {
        if (runs.length && frame === runs.at(-1)[1] + 1) runs.at(-1)[1] = frame;
        else runs.push([frame, frame]);
    }
    return runs.map(([a, b]) => a === b ? `${a}` : a + 1 === b ? `${a},${b}` : `${a}-${b}`).join(",");
}

function frameChunker(range, size) {
    must(typeof range === "string" && range.trim(), `invalid range "${range}": empty range`);
    must(Number.isInteger(size) && size >= 1, `invalid chunk size, must be positive number: ${size}`);
    const frames = explode(range.trim()), chunks = [];
    for (let at = 0; at < frames.length; at += size) chunks.push(merge(frames.slice(at, at + size)));
    must(chunks.length, `invalid range "${range}": empty range`);
    return chunks;
}

function checked(type) {
    must(typeof type.label === "string" && type.label, "JOB_TYPE has no label");
    for (const setting of type.settings) {
        for (const [name, value] of Object.entries(setting)) {
            must(SETTING[name], `${setting.key}: unknown field ${name}`);
            must(SETTING[name] === "any" || typeof value === SETTING[name], `${setting.key}: ${name} is no ${SETTING[name]}`);
        }
        must(TYPES[setting.type], `${setting.key}: unknown type ${setting.type}`);
        must(!("default" in setting) || typeof setting.default === TYPES[setting.type], `${setting.key}: default`);
        must(!setting.subtype || SUBTYPES.includes(setting.subtype), `${setting.key}: subtype`);
        must(!setting.visible || VISIBLE.includes(setting.visible), `${setting.key}: visible`);
    }
    return type;
}

function completed(type, given) {
    const settings = {};
    for (const { key, type: kind, required, default: otherwise } of type.settings) {
        const value = given[key] ?? otherwise;
        must(value !== undefined || !required, `setting ${key} is required`);
        must(value === undefined || typeof value === TYPES[kind], `setting ${key} is no ${kind}`);
        if (value !== undefined) settings[key] = value;
    }
    for (const key of Object.keys(given)) must(type.settings.some(one => one.key === key), `no setting ${key}`);
    return settings;
}

const stem = name => path.basename(name, path.extname(name));
const tasks = [];
const context = vm.createContext({
    print: () => {}, alert: () => {}, frameChunker, formatTimestampLocal: () => "2026-01-02_030405",
    author: { Task: (name, type) => new Task(name, type), Command: (name, parameters, steps) => new Command(name, parameters, steps) },
    path: { basename: path.basename, dirname: path.dirname, join: path.join, stem },
});
const script = readFileSync(process.argv[2], "utf-8");
const { JOB_TYPE, compileJob } = vm.runInContext(`${script}\n;({ JOB_TYPE, compileJob })`, context);
const job = {
    name: "job", created: new Date(), settings: completed(checked(JOB_TYPE), JSON.parse(readFileSync(0, "utf-8"))),
    addTask(task) {
        must(task instanceof Task, "addTask takes an author.Task");
        tasks.push(task);
    },
};
compileJob(job);
for (const task of tasks) {
    must(task.commands.length, `${task.name} has no command`);
    must(task.dependencies.every(one => tasks.includes(one)), `${task.name} waits for a task that is not in the job`);
}
console.log(JSON.stringify(tasks.map(task => ({ ...task, dependencies: task.dependencies.map(one => one.name) }))));
