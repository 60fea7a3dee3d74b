// A place to drop videos on. Sends them to /v1/videos one after another and shows how far each is.
export default {
  template: `
    <div class="drop" :class="{ over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="drop">
      <label>
        <input type="file" accept="video/*,.mkv,.gif" multiple @change="choose" aria-label="Choose videos to upload">
        <span>Drop videos here or <u>choose files</u></span>
      </label>
      <label class="view">View
        <select v-model="view"><option value="room">room camera</option><option value="ego">head camera</option></select>
      </label>
      <div v-for="item in items" class="upload-item">
        <span>{{ item.name }}</span>
        <progress v-if="item.share < 1 && !item.error" :value="item.share"></progress>
        <span v-if="item.error" class="refused">{{ item.error }}</span>
      </div>
    </div>`,
  data() {
    return { over: false, view: "room", items: [] };
  },
  methods: {
    drop(event) {
      this.over = false;
      this.send([...event.dataTransfer.files]);
    },
    choose(event) {
      this.send([...event.target.files]);
      event.target.value = "";
    },
    async send(files) {
      for (const file of files) {
        this.items.push({ name: file.name, share: 0, error: null });
        const item = this.items[this.items.length - 1];
        try {
          await this.sendOne(file, item);
          this.items = this.items.filter((other) => other !== item);
          this.$emit("uploaded");
        } catch (problem) {
          item.error = problem;
        }
      }
    },
    sendOne(file, item) {
      return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        const form = new FormData();
        form.append("view", this.view);
        form.append("file", file, file.name);
        request.upload.onprogress = (event) => (item.share = event.loaded / event.total);
        request.onload = () => (request.status < 300 ? resolve() : reject(explain(request)));
        request.onerror = () => reject("the service does not answer");
        request.open("POST", "/v1/videos");
        request.send(form);
      });
    },
  },
};

function explain(request) {
  try {
    const problem = JSON.parse(request.responseText);
    return [problem.detail, problem.found && `(${problem.found})`, problem.fix].filter(Boolean).join(" ");
  } catch {
    return `the service answered ${request.status}`;
  }
}
