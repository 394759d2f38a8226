// Compiles every contract of this folder, and those of examples/solidity with the settings there, to
// runtime bytecode (`Name.hex`, without 0x). See README.md for the command.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const VERSION = "0.8.30";
if (!solc.version().startsWith(VERSION)) throw `needs solc ${VERSION}, found ${solc.version()}`;

// No metadata: the bytecode then depends on the source and these settings alone.
const metadata = { bytecodeHash: "none", appendCBOR: false };
const outputSelection = { "*": { "*": ["evm.deployedBytecode.object", "storageLayout"] } };

// Imports are found from the repository's root.
const root = path.join(__dirname, "../..");
const found = (name) => ({ contents: fs.readFileSync(path.join(root, name), "utf8") });

function run(input) {
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: found }));
  for (const error of output.errors ?? []) console.error(error.formattedMessage);
  return output.contracts;
}

function compile(language, extension, evmVersion, optimizer) {
  const files = fs.readdirSync(__dirname).filter((name) => name.endsWith(extension)).sort();
  const read = (name) => ({ content: fs.readFileSync(path.join(__dirname, name), "utf8") });
  const groups = language === "Yul" ? files.map((name) => [name]) : [files];
  for (const group of groups) {
    const input = {
      language,
      sources: Object.fromEntries(group.map((name) => [name, read(name)])),
      settings: { evmVersion, optimizer, metadata, outputSelection },
    };
    if (language === "Yul") delete input.settings.metadata;
    const contracts = run(input);
    for (const name of group) {
      const contract = contracts[name];
      const stem = path.basename(name, extension);
      const [built] = Object.values(contract).filter((_, i) => Object.keys(contract)[i] === stem);
      const code = built.evm.deployedBytecode.object;
      fs.writeFileSync(path.join(__dirname, `${stem}.hex`), code + "\n");
      console.log(`${stem.padEnd(10)} ${code.length / 2} bytes`);
      for (const slot of built.storageLayout?.storage ?? []) {
        console.log(`    slot ${slot.slot} offset ${slot.offset} ${slot.label}`);
      }
    }
  }
}

compile("Solidity", ".sol", "shanghai", { enabled: true, runs: 200 });
compile("Yul", ".yul", "homestead", { enabled: true, details: { yul: true } });

const examples = path.join(root, "examples/solidity");
const contracts = run(JSON.parse(fs.readFileSync(path.join(examples, "settings.json"), "utf8")));
for (const [name, contract] of Object.entries(contracts["examples/solidity/OrderBook.sol"])) {
  const code = contract.evm.deployedBytecode.object;
  fs.writeFileSync(path.join(examples, `${name}.hex`), code + "\n");
  console.log(`${name.padEnd(10)} ${code.length / 2} bytes`);
}
