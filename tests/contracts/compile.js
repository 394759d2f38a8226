// Compiles every contract of this folder to runtime bytecode (`Name.hex`, without 0x).
// See README.md for the command.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const VERSION = "0.8.30";
if (!solc.version().startsWith(VERSION)) throw `needs solc ${VERSION}, found ${solc.version()}`;

// No metadata: the bytecode then depends on the source and these settings alone.
const metadata = { bytecodeHash: "none", appendCBOR: false };
const outputSelection = { "*": { "*": ["evm.deployedBytecode.object", "storageLayout"] } };

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
    const output = JSON.parse(solc.compile(JSON.stringify(input)));
    for (const error of output.errors ?? []) console.error(error.formattedMessage);
    for (const name of group) {
      const contract = output.contracts[name];
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
